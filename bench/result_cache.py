"""Measures the result cache: a run that fills it, the same run again, and a run over data that has
grown by a tenth, its new records spread among the old ones, against the new records alone.

    bench/run result_cache.py [--texts N] [--model FOLDER] [--threads N] [--under COMMAND]

Rates are records a second by the job's own clock, which begins when the model is ready. Texts are
SST-2's train phrases (67,349). Prints one line for each figure and writes them to bench/results/
with CPU, version and commit.
"""
import argparse
import json
import pathlib
import random
import shutil
import statistics

import machine
import main_job
import texts as bench_texts
from machine import THREADS, WORK
from millrace_runs import Job

NEW_SHARE = 0.1
ROUNDS = 3  # of what takes no time; the median counts


class Bench:
    def __init__(self, arguments):
        self.model = arguments.model or main_job.base_model()
        self.flags = ["--threads", str(arguments.threads)]
        self.turns = machine.Turns(arguments.under)
        self.cache = WORK / "result-cache"
        shutil.rmtree(self.cache, ignore_errors=True)

    def run(self, texts, cache=True):
        """(seconds, rows from the cache, output) of one job over the texts."""
        source = bench_texts.write_jsonl(WORK / "result-cache.jsonl", texts)
        flags = ["--result-cache", str(self.cache)] if cache else []
        with self.turns.measuring():
            job = Job(self.model, source, *self.flags, *flags, keep=True)
        output = pathlib.Path(job.output_file()).read_bytes()
        job.remove()
        return job.summary["seconds"], job.summary["cached"], output


def measure(bench, texts, results):
    order = list(range(len(texts)))
    random.Random(1).shuffle(order)
    new = set(order[:round(len(texts) * NEW_SHARE)])
    old = [text for i, text in enumerate(texts) if i not in new]

    seconds, _, _ = bench.run(old)
    first_rate = len(old) / seconds
    results["first_run_records_per_s"] = first_rate

    grown, cached, output = bench.run(texts)
    alone, _, _ = bench.run([texts[i] for i in sorted(new)], cache=False)
    results["new_records"] = len(new)
    results["grown_run_cached"] = cached
    results["grown_run_seconds"] = grown
    results["new_records_alone_seconds"] = alone
    results["grown_over_new_alone"] = grown / alone

    again = [bench.run(texts) for _ in range(ROUNDS)]
    if any(run[1] != len(texts) or run[2] != output for run in again):
        raise SystemExit("the second run did not take every result from the cache")
    rate = len(texts) / statistics.median(run[0] for run in again)
    results["second_run_records_per_s"] = rate
    results["second_over_first"] = rate / first_rate
    results["cache_bytes_per_record"] = sum(
        f.stat().st_size for f in bench.cache.rglob("*.results")) / len(texts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, help="so many texts only, for a quick look")
    parser.add_argument("--model", help="default: DistilBERT-base's shape with random weights")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--under", metavar="COMMAND",
                        help="measure while this command runs, to take turns with others: "
                             "'flock FILE'")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    texts = bench_texts.sst2_train()
    if arguments.texts and arguments.texts < len(texts):
        texts = random.Random(2).sample(texts, arguments.texts)
    results = {"threads": arguments.threads, "texts": len(texts),
               "model": pathlib.Path(arguments.model or "distilbert-base-random").name}
    bench = Bench(arguments)
    measure(bench, texts, results)
    bench.turns.release()
    for key, value in results.items():
        print(f"{key:28} {value:.4g}" if isinstance(value, float) else f"{key:28} {value}")
    machine.RESULTS.mkdir(exist_ok=True)
    target = machine.RESULTS / f"result_cache-{machine.isa_name()}.json"
    target.write_text(json.dumps({**machine.describe(), **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
