"""Measures the main job: the engine against ONNX Runtime, end to end against the engine alone,
memory over a large file, and the time from process start to the first record in the encoder.

    bench/run main_job.py [engine] [end-to-end] [memory] [small-memory] [startup]   (or all of them)

Prints one line for each figure and writes them to bench/results/ with CPU, version and commit.
"""
import argparse
import json
import statistics

import machine
import millrace_runs
import random_model
import texts as bench_texts
from machine import THREADS, WORK
from millrace_runs import Job

GIB = 1 << 30
MEMORY_RUN_SECONDS = 300
PRECISIONS = ("fp32", "bf16", "int8")


def base_model():
    return random_model.make_model(WORK / "distilbert-base-random", random_model.BASE,
                                   bench_texts.tokenizer_folder())


def tiny_model():
    return random_model.make_model(WORK / "distilbert-smallest-random", random_model.TINY,
                                   bench_texts.tokenizer_folder())


def measure_engine(results, arguments):
    """fp32, DistilBERT-base shape: Millrace and ONNX Runtime's best set-up in alternation."""
    import numpy as np

    from engines import onnx_runtime
    model = base_model()
    texts = bench_texts.sst2_dev()[::arguments.every]
    ids = [e.ids for e in bench_texts.load_tokenizer().encode_batch(texts)]
    baseline = onnx_runtime.Engine("fp32", "sorted, token budget", model, WORK, THREADS)
    lines = bench_texts.write_lines(WORK / "sst2-dev.txt", texts)
    answers = baseline.run(texts, ids)[1]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        with arguments.turns.measuring():
            ours.append(millrace_runs.engine(model, lines)["sequences_per_s"])
            theirs.append(len(texts) / baseline.run(texts, ids)[0])
    results["engine_sequences_per_s"] = statistics.median(ours)
    results["onnxruntime_sequences_per_s"] = statistics.median(theirs)
    results["engine_over_onnxruntime"] = statistics.median(a / b for a, b in zip(ours, theirs))
    results["largest_probability_difference"] = float(
        np.abs(answers - np.array(millrace_runs.probabilities(model, texts))).max())


def measure_end_to_end(results, arguments):
    """Records/s of whole processes, file in and .out file committed, against the engine alone,
    which also answers duplicates once; the process's start-up is part of its time."""
    model = base_model()
    texts = (bench_texts.sst2_dev() + bench_texts.distinct_reviews(3000))[:3000:arguments.every]
    lines = bench_texts.write_lines(WORK / "end-to-end.txt", texts)
    source = bench_texts.write_jsonl(WORK / "end-to-end.jsonl", texts)
    for precision in arguments.precision:
        jobs, engines = [], []
        try:
            for _ in range(min(arguments.rounds, 3)):
                with arguments.turns.measuring():
                    engine = millrace_runs.engine(model, lines, precision, dedup=True)
                    run = Job(model, source, "--precision", precision)
                engines.append(engine["sequences_per_s"])
                jobs.append(run.summary["records"] / run.seconds)
        except millrace_runs.Refused as refusal:
            results[f"end_to_end_{precision}"] = f"not run: {refusal}"
            continue
        results[f"end_to_end_{precision}_records_per_s"] = statistics.median(jobs)
        results[f"end_to_end_{precision}_over_engine"] = statistics.median(
            a / b for a, b in zip(jobs, engines))


def measure_memory(results, arguments):
    """Peak resident memory of the DistilBERT-base shape over 1 GB, stopped after 5 minutes."""
    big = bench_texts.big_jsonl(WORK / "reviews-1g.jsonl", GIB)
    for precision in arguments.precision:
        try:
            run = Job(base_model(), big, "--precision", precision, stop_after=MEMORY_RUN_SECONDS)
            results[f"peak_mb_base_{precision}_1gb"] = run.peak_mb
        except millrace_runs.Refused as refusal:
            results[f"peak_mb_base_{precision}_1gb"] = f"not run: {refusal}"


def measure_small_memory(results, arguments):
    """Peak resident memory of a tiny model: over 1 GB to its end, and over 10 MB."""
    big = bench_texts.big_jsonl(WORK / "reviews-1g.jsonl", GIB)
    small = bench_texts.big_jsonl(WORK / "reviews-10m.jsonl", 10 << 20)
    tiny_small = Job(tiny_model(), small)
    tiny_big = Job(tiny_model(), big)
    results["peak_mb_tiny_10mb"] = tiny_small.peak_mb
    results["peak_mb_tiny_1gb"] = tiny_big.peak_mb
    results["tiny_1gb_records"] = tiny_big.summary["records"]
    results["tiny_1gb_records_per_s"] = tiny_big.summary["records_per_s"]


def measure_startup(results, arguments):
    """Process start to the first record in the encoder, warm page cache, 268 MB model, 1 GB."""
    big = bench_texts.big_jsonl(WORK / "reviews-1g.jsonl", GIB)
    model = base_model()
    with arguments.turns.measuring():
        times = [Job(model, big, stop_after=4).summary["startup_seconds"] for _ in range(4)]
    results["startup_seconds"] = statistics.median(times[1:])


MEASURES = {"engine": measure_engine, "end-to-end": measure_end_to_end, "memory": measure_memory,
            "small-memory": measure_small_memory, "startup": measure_startup}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("measures", nargs="*", metavar="MEASURE",
                        help=f"of {', '.join(MEASURES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="only every Nth text")
    parser.add_argument("--precision", action="append", choices=PRECISIONS,
                        help="for end-to-end and memory (default: all)")
    parser.add_argument("--under", metavar="COMMAND",
                        help="measure while this command runs, to take turns with others: "
                             "'flock FILE'")
    arguments = parser.parse_args()
    unknown = set(arguments.measures) - set(MEASURES)
    if unknown:
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    arguments.measures = arguments.measures or list(MEASURES)
    arguments.precision = arguments.precision or list(PRECISIONS)
    arguments.turns = machine.Turns(arguments.under)
    return arguments


def write(name, results):
    """Each measure stands by itself in the file, with the machine and the program that gave it."""
    target = machine.RESULTS / f"main_job-{machine.isa_name()}.json"
    machine.RESULTS.mkdir(exist_ok=True)
    stored = json.loads(target.read_text()) if target.exists() else {}
    kept = stored.get(name, {})
    stored[name] = {**kept, **machine.describe(), **results}
    target.write_text(json.dumps(stored, indent=1) + "\n")
    for key, value in results.items():
        print(f"{key:34} {value:.4g}" if isinstance(value, float) else f"{key:34} {value}",
              flush=True)


def main():
    arguments = parse()
    WORK.mkdir(parents=True, exist_ok=True)
    for name in arguments.measures:
        results = {}
        MEASURES[name](results, arguments)
        arguments.turns.release()
        write(name, results)


if __name__ == "__main__":
    main()
