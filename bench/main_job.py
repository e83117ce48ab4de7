"""Measures the main job: the engine against ONNX Runtime, end to end against the engine alone,
memory over a large file, and the time from process start to the first record in the encoder.

    bench/run main_job.py [engine] [end-to-end] [memory] [startup]     (all four when none is named)

Prints one line for each figure and writes them to bench/results/main_job.json with CPU and
versions.
Texts are SST-2 dev and app reviews below MILLRACE_TEST_DATA where that is there, else samples/.
"""
import csv
import json
import os
import pathlib
import platform
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

import random_model

ROOT = pathlib.Path(__file__).resolve().parent.parent
MILLRACE = os.environ.get("MILLRACE_BIN", str(ROOT / "build/release/millrace"))
DATA = pathlib.Path(os.environ.get("MILLRACE_TEST_DATA", ROOT.parent / "shared")) / "data"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
WORK = CACHE / "millrace-dev" / "bench"
THREADS = os.cpu_count() or 1
GIB = 1 << 30
MEMORY_RUN_SECONDS = 300


def sst2_dev():
    path = DATA / "sst2/SST-2/dev.tsv"
    if not path.exists():
        return samples()
    lines = path.read_text(encoding="utf-8").split("\n")[1:]
    return [line.split("\t")[0] for line in lines if line]


def samples():
    with open(ROOT / "samples/reviews.csv", encoding="utf-8", newline="") as f:
        return [" ".join(row["text"].split()) for row in csv.DictReader(f) if row["text"].strip()]


def reviews(count):
    """`count` distinct texts of the length of reviews, in a fixed random order."""
    texts = set()
    for path in sorted((DATA / "app-reviews").rglob("*.csv")):
        with open(path, encoding="utf-8-sig", newline="", errors="replace") as f:
            for row in csv.DictReader(f):
                text = row.get("content") or row.get("review") or row.get("text") or ""
                texts.add(" ".join(text.split()))
    train = DATA / "sst2/SST-2/train.tsv"
    if len(texts) < count and train.exists():
        lines = train.read_text(encoding="utf-8").split("\n")[1:]
        texts.update(line.split("\t")[0] for line in lines if line)
    if not texts:
        texts.update(samples())
    texts = sorted(texts - {""})
    random.Random(1).shuffle(texts)
    return texts[:count]


def tokenizer_dir():
    real = DATA / "tokenizer/distilbert-base-uncased-finetuned-sst-2-english"
    return real if real.exists() else ROOT / "models/sst2-small"


def base_model():
    return random_model.make_model(WORK / "distilbert-base-random", random_model.BASE,
                                   tokenizer_dir())


def tiny_model():
    return random_model.make_model(WORK / "distilbert-tiny-random", random_model.TINY,
                                   tokenizer_dir())


def write_jsonl(path, texts):
    with open(path, "w", encoding="utf-8") as f:
        for text in texts:
            f.write(json.dumps({"inputs": text}, ensure_ascii=False) + "\n")
    return path


def big_jsonl(path, size):
    """`size` bytes of 20,000 distinct reviews repeated at random."""
    if path.exists() and path.stat().st_size >= size:
        return path
    lines = [json.dumps({"inputs": t}, ensure_ascii=False) + "\n" for t in reviews(20000)]
    encoded = [line.encode() for line in lines]
    source = random.Random(2)
    written = 0
    with open(path, "wb") as f:
        while written < size:
            block = b"".join(source.choices(encoded, k=10000))
            f.write(block)
            written += len(block)
    return path


class Run:
    """A finished `millrace transform`: summary, wall seconds, peak resident MB."""

    def __init__(self, model, source, stop_after=None):
        out = WORK / f"out-{time.time_ns()}"
        command = [MILLRACE, "transform", "--model", str(model), "--input", str(source), "--output",
                   str(out), "--work-dir", str(WORK / "state"), "--progress", "none"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if stop_after:
            timer = threading.Timer(stop_after, process.send_signal, [signal.SIGINT])
            timer.start()
        stdout = process.stdout.read().decode()
        errors = process.stderr.read().decode()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0  # reaped here, for its resource usage
        if stop_after:
            timer.cancel()
        self.seconds = time.perf_counter() - start
        self.peak_mb = usage.ru_maxrss / 1024
        if not stdout.strip():
            sys.exit(f"{' '.join(command)} failed:\n{errors}")
        self.summary = json.loads(stdout.strip().split("\n")[-1])
        subprocess.run(["rm", "-rf", str(out), str(WORK / "state")], check=True)


def millrace_bench(model, texts_file):
    out = subprocess.run([MILLRACE, "bench", "--model", str(model), "--input", str(texts_file)],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().split("\n")[-1])


def write_lines(path, texts):
    path.write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    return path


def measure_engine(results):
    """fp32, DistilBERT-base shape: Millrace and ONNX Runtime in alternation, medians of five."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    import onnx_baseline
    model = base_model()
    texts = sst2_dev()
    folder = tokenizer_dir()
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(512)
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    graph = WORK / "distilbert-base-random.onnx"
    if not graph.exists():
        onnx_baseline.build_graph(model, graph)
    baseline = onnx_baseline.Baseline(graph, ids, THREADS)
    lines = write_lines(WORK / "sst2-dev.txt", texts)
    baseline.run()
    ours, theirs = [], []
    for _ in range(5):
        ours.append(millrace_bench(model, lines)["sequences_per_s"])
        theirs.append(len(texts) / baseline.run()[0])
    results["engine_sequences_per_s"] = statistics.median(ours)
    results["onnxruntime_sequences_per_s"] = statistics.median(theirs)
    results["engine_over_onnxruntime"] = statistics.median(a / b for a, b in zip(ours, theirs))
    results["largest_probability_difference"] = compare_answers(model, texts, baseline)


def compare_answers(model, texts, baseline):
    """Largest difference of a probability between the two engines over `texts`."""
    import numpy as np
    source = write_jsonl(WORK / "agree.jsonl", texts)
    target = WORK / "agree.out"
    target.unlink(missing_ok=True)
    subprocess.run([MILLRACE, "transform", "--model", str(model), "--input", str(source),
                    "--output", str(target), "--work-dir", str(WORK / "state"),
                    "--env", "MILLRACE_OUTPUT=columns", "--if-exists", "overwrite"],
                   check=True, capture_output=True)
    ours = [json.loads(line)["score_POSITIVE"] for line in open(find_output(target))]
    logits = baseline.run()[1]
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float(np.abs(exp[:, 1] / exp.sum(axis=1) - np.array(ours)).max())


def find_output(target):
    return target if target.is_file() else next(target.glob("*.out"))


def measure_end_to_end(results):
    """Records/s of whole processes, file in and .out file committed, against the engine alone."""
    model = base_model()
    texts = (sst2_dev() + reviews(3000))[:3000]
    lines = write_lines(WORK / "end-to-end.txt", texts)
    source = write_jsonl(WORK / "end-to-end.jsonl", texts)
    ratios, rates = [], []
    for _ in range(3):
        engine = millrace_bench(model, lines)["sequences_per_s"]
        run = Run(model, source)
        rates.append(run.summary["records"] / run.seconds)
        ratios.append(rates[-1] / engine)
    results["end_to_end_records_per_s"] = statistics.median(rates)
    results["end_to_end_over_engine"] = statistics.median(ratios)


def measure_memory(results):
    """Peak resident memory: base shape over 1 GB for 5 minutes; tiny model over 1 GB and 10 MB."""
    big = big_jsonl(WORK / "reviews-1g.jsonl", GIB)
    small = big_jsonl(WORK / "reviews-10m.jsonl", 10 << 20)
    results["peak_mb_base_1gb"] = Run(base_model(), big, MEMORY_RUN_SECONDS).peak_mb
    tiny_small = Run(tiny_model(), small)
    tiny_big = Run(tiny_model(), big)
    results["peak_mb_tiny_10mb"] = tiny_small.peak_mb
    results["peak_mb_tiny_1gb"] = tiny_big.peak_mb
    results["tiny_1gb_records"] = tiny_big.summary["records"]
    results["tiny_1gb_records_per_s"] = tiny_big.summary["records_per_s"]


def measure_startup(results):
    """Process start to the first record in the encoder, warm page cache, 268 MB model, 1 GB."""
    big = big_jsonl(WORK / "reviews-1g.jsonl", GIB)
    model = base_model()
    times = [Run(model, big, stop_after=4).summary["startup_seconds"] for _ in range(4)]
    results["startup_seconds"] = statistics.median(times[1:])


def cpu_name():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


MEASURES = {"engine": measure_engine, "end-to-end": measure_end_to_end, "memory": measure_memory,
            "startup": measure_startup}


def main():
    names = sys.argv[1:] or list(MEASURES)
    WORK.mkdir(parents=True, exist_ok=True)
    results = {"cpu": cpu_name(), "cores": THREADS,
               "version": subprocess.run([MILLRACE, "--version"], capture_output=True,
                                         text=True, check=True).stdout.strip()}
    for name in names:
        MEASURES[name](results)
    for key, value in results.items():
        print(f"{key:34} {value:.4g}" if isinstance(value, float) else f"{key:34} {value}")
    target = ROOT / "bench/results"
    target.mkdir(exist_ok=True)
    (target / "main_job.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
