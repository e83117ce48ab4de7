"""The engine alone over lengths 4 to 512 and over threads, in each precision: tokens/s, share of
what this CPU can do, where the time goes, and what a second core brings.

    bench/sweep [--precision NAME]... [--lengths N,...] [--threads N,...] [--under COMMAND]

The limit is what the multiply-adds of the model would take at the peak that bench/peak_bench
measures: those of the linear layers in the precision's own arithmetic, those of attention in fp32,
with the last layer computed for the first token only, as the program does.
"""
import argparse
import bisect
import json
import re
import subprocess
import sys

import machine
import millrace_runs
import plot
import random_model
import texts as bench_texts
from machine import ROOT, THREADS, WORK

BUILD = ROOT / "build/release/bench"
PRECISIONS = ("fp32", "bf16", "int8")
SHAPE = random_model.BASE
# The stage of a sample: the first whose word is in the name of a function on its stack.
STAGES = [("attention", r"attention"), ("linear layers", r"linear|quantize|round_bf16"),
          ("LayerNorm", r"norm"), ("embeddings", r"embed|copy_row"), ("activation", r"activate")]


def linear_operations(tokens, sequences):
    """Of all linear layers for `tokens` in `sequences`: a multiply and an add are two."""
    h, f = SHAPE["dim"], SHAPE["hidden_dim"]
    layer = 2 * (4 * h * h + 2 * h * f)
    last_tokens = 2 * 2 * h * h  # keys and values
    last_sequences = layer - last_tokens
    head = 2 * (h * h + 2 * h)
    return (tokens * ((SHAPE["n_layers"] - 1) * layer + last_tokens)
            + sequences * (last_sequences + head))


def attention_operations(lengths):
    h, layers = SHAPE["dim"], SHAPE["n_layers"]
    return sum(4 * h * n * ((layers - 1) * n + 1) for n in lengths)


def limit_seconds(lengths, precision, peak):
    linear = linear_operations(sum(lengths), len(lengths)) / peak[precision]
    return linear, linear + attention_operations(lengths) / peak["fp32"]


def peaks(threads, isa):
    command = [str(BUILD / "peak_bench"), str(threads)] + ([isa] if isa else [])
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def engine_bench(model, lines, precision, threads, rounds, isa, samples=False):
    """The last pack size's figures, and the samples if they are wanted."""
    command = [str(BUILD / "engine_bench"), str(model), str(lines), "--threads", str(threads),
               "--rounds", str(rounds), "--tokens", "0", "--precision", precision,
               "--sequences", "1000000"]
    command += ["--isa", isa] if isa else []
    command += ["--samples", "on"] if samples else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise millrace_runs.Refused(done.stderr.strip().split("\n")[-1])
    shown = [json.loads(line) for line in done.stdout.strip().split("\n")]
    figures = next(line for line in shown if "pack_tokens" in line)
    if figures["precision"] != precision:
        raise millrace_runs.Refused(f"this CPU has no {precision}")
    return figures, shown[-1].get("samples")


def symbols():
    """[(offset, name)] of the functions of engine_bench, in order."""
    listing = subprocess.run(["nm", "-C", "-n", "--defined-only", str(BUILD / "engine_bench")],
                             check=True, capture_output=True, text=True).stdout
    found = []
    for line in listing.split("\n"):
        match = re.match(r"([0-9a-f]+) [tTwWiuV] (.*)", line)
        if match:
            found.append((int(match.group(1), 16), match.group(2)))
    return found


def short_name(name):
    return re.sub(r"[<(].*", "", name.replace("(anonymous namespace)::", "")).split("::")[-1]


def stacks(samples):
    """[([function, its caller, ...], samples)]."""
    table = symbols()
    offsets = [offset for offset, _ in table]

    def name(offset):
        return "(C library)" if offset < 0 else table[bisect.bisect(offsets, offset) - 1][1]

    return [([short_name(name(offset)) for offset in frames], count) for frames, count in samples]


def stage_of(functions):
    """A product of attention goes through the same tiles as one of a linear layer."""
    called = " ".join(functions).lower()
    return next((stage for stage, word in STAGES if re.search(word, called)), "rest")


def stages(samples):
    """Share of the processor time by stage, and by function for those above one in a hundred."""
    shares, innermost = {}, {}
    total = sum(count for _, count in samples) or 1
    for functions, count in stacks(samples):
        stage = stage_of(functions)
        shares[stage] = shares.get(stage, 0) + count / total
        innermost[functions[0]] = innermost.get(functions[0], 0) + count / total
    ordered = sorted(innermost.items(), key=lambda item: -item[1])
    return shares, {name: share for name, share in ordered if share >= 0.01}


class Sweep:
    def __init__(self, arguments):
        self.arguments = arguments
        self.turns = machine.Turns(arguments.under)
        self.model = random_model.make_model(WORK / "distilbert-base-random", random_model.BASE,
                                             bench_texts.tokenizer_folder())
        self.tokenizer = bench_texts.load_tokenizer()
        self.peaks = {}

    def measured_peaks(self):
        for threads in self.arguments.threads:
            with self.turns.measuring():
                self.peaks[threads] = peaks(threads, self.arguments.isa)
        return {str(threads): peak for threads, peak in self.peaks.items()}

    def point(self, precision, lengths, lines, threads, rounds):
        with self.turns.measuring():
            figures, _ = engine_bench(self.model, lines, precision, threads, rounds,
                                      self.arguments.isa)
        seconds = len(lengths) / figures["sequences_per_s"]
        linear, both = limit_seconds(lengths, precision, self.peaks[threads])
        return {"threads": threads, "tokens_per_s": figures["tokens_per_s"],
                "sequences_per_s": figures["sequences_per_s"],
                "of_limit": both / seconds, "linear_of_limit": linear / seconds}

    def lengths(self, precision):
        points = []
        for length in self.arguments.lengths:
            texts = bench_texts.of_length(self.tokenizer, length,
                                          max(self.arguments.tokens // length, 2))
            lines = bench_texts.write_lines(WORK / f"sweep-{length}.txt", texts)
            for threads in self.arguments.threads:
                point = self.point(precision, [length] * len(texts), lines, threads, 3)
                points.append({"length": length, **point})
                print(f"{precision:5} length {length:4}  threads {threads}  "
                      f"{point['tokens_per_s']:8.0f} tokens/s  "
                      f"{point['of_limit'] * 100:5.1f} % of the limit", flush=True)
        return points

    def sentences(self, precision):
        """SST-2 dev: the share of the limit, stages, and two cores against one."""
        texts = bench_texts.sst2_dev()[::self.arguments.every]
        lines = bench_texts.write_lines(WORK / "sweep-sst2.txt", texts)
        lengths = [len(e.ids) for e in self.tokenizer.encode_batch(texts)]
        points = [self.point(precision, lengths, lines, threads, 3)
                  for threads in self.arguments.threads]
        with self.turns.measuring():
            _, samples = engine_bench(self.model, lines, precision, max(self.arguments.threads), 2,
                                      self.arguments.isa, samples=True)
            whole = millrace_runs.engine(self.model, lines, precision, isa=self.arguments.isa)
        shares, functions = stages(samples)
        tokenize = whole["tokenize_seconds"] / (whole["seconds"] * whole["threads"])
        return {"points": points, "stages": shares, "functions": functions,
                "tokenization": tokenize}


def show_sentences(precision, found):
    first, last = found["points"][0], found["points"][-1]
    for point in found["points"]:
        print(f"{precision:5} SST-2 dev  threads {point['threads']}  "
              f"{point['sequences_per_s']:.1f} sequences/s, {point['of_limit'] * 100:.1f} % of the "
              f"limit ({point['linear_of_limit'] * 100:.1f} % without attention in it)")
    if first is not last:
        print(f"{precision:5} {last['threads']} threads against {first['threads']}: "
              f"{last['sequences_per_s'] / first['sequences_per_s']:.2f}x")
    parts = sorted(found["stages"].items(), key=lambda item: -item[1])
    print(f"{precision:5} " + ", ".join(f"{name} {share * 100:.1f} %" for name, share in parts)
          + f"; tokenization takes {found['tokenization'] * 100:.2f} % of a run", flush=True)


def picture(report):
    threads = report["points"]
    panels = []
    series = [(f"{precision}, {t} thread{'s' if t > 1 else ''}",
               [(p["length"], p) for p in points if p["threads"] == t])
              for precision, points in threads.items()
              for t in sorted({p["threads"] for p in points})]
    top = max(p["tokens_per_s"] for _, points in series for _, p in points)
    step = 10 ** (len(str(int(top))) - 1)
    top = (int(top / step) + 1) * step
    panels.append(("Tokens per second", lambda v: f"{v:,.0f}", top,
                   [(name, [(x, p["tokens_per_s"]) for x, p in points])
                    for name, points in series]))
    panels.append(("Share of the measured peak", lambda v: f"{v * 100:.0f} %", 1,
                   [(name, [(x, p["of_limit"]) for x, p in points]) for name, points in series]))
    note = (f"{report['cpu']}, {', '.join(report['instructions'])}; {report['millrace']}, commit "
            f"{report['commit']}, {report['date']}")
    return plot.lines("Millrace over lengths, DistilBERT-base shape", note, panels,
                      "tokens in a text")


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--precision", action="append", choices=PRECISIONS)
    parser.add_argument("--lengths", type=numbers, default=[4, 8, 16, 32, 64, 128, 256, 512])
    parser.add_argument("--threads", type=numbers, default=sorted({1, max(THREADS // 2, 1),
                                                                   THREADS}))
    parser.add_argument("--tokens", type=int, default=16384,
                        help="of each length (default: %(default)s)")
    parser.add_argument("--every", type=int, default=1, help="only every Nth SST-2 sentence")
    parser.add_argument("--isa", help="force a lower instruction set (avx2)")
    parser.add_argument("--under", metavar="COMMAND",
                        help="measure while this command runs, to take turns with others: "
                             "'flock FILE'")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or list(PRECISIONS)
    return arguments


def main():
    arguments = parse()
    WORK.mkdir(parents=True, exist_ok=True)
    sweep = Sweep(arguments)
    report = {**machine.describe(), "isa_forced": arguments.isa, "peaks": sweep.measured_peaks(),
              "points": {}, "sentences": {}, "skipped": {}}
    for threads, peak in report["peaks"].items():
        print(f"peak of {threads} thread(s), GOP/s: " + ", ".join(
            f"{name} {peak[name] / 1e9:.0f}" for name in PRECISIONS))
    for precision in arguments.precision:
        try:
            found = sweep.sentences(precision)
            report["points"][precision] = sweep.lengths(precision)
        except millrace_runs.Refused as refusal:
            report["skipped"][precision] = str(refusal)
            print(f"{precision:5} skipped: {refusal}")
            continue
        report["sentences"][precision] = found
        show_sentences(precision, found)
    sweep.turns.release()
    name = "sweep-" + (arguments.isa or machine.isa_name())
    machine.RESULTS.mkdir(exist_ok=True)
    (machine.RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    if report["points"]:
        (machine.RESULTS / f"{name}.svg").write_text(picture(report))
    print(f"wrote {machine.RESULTS / name}.json, .svg", file=sys.stderr)


if __name__ == "__main__":
    main()
