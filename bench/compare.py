"""Millrace and the other engines on the same texts and weights, in alternation, in one run.

    bench/compare [--only WORD]... [--sets NAME,...] [--quick] [--rounds N] [--every N] [--isa NAME]

Every engine has a process of its own. Each answers all texts once before anything is timed, which
warms it and gives the answers that are compared; then come the rounds, each engine once in each.
Figures are medians over the rounds, ratios are medians of the rounds' ratios. Millrace's and the
pipeline's time includes tokenization; the other engines are given token ids.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import compare_report
import machine
import millrace_runs
import random_model
import texts as bench_texts
from machine import THREADS, WORK

BENCH = pathlib.Path(__file__).resolve().parent
BUDGET = "sorted, token budget"
AVX2 = "AVX2 only"  # on a CPU that has more
# Engine, precision, arrangement; the module of engines/ and the requirements that it needs.
ROWS = (
    [("Millrace", p, a, None, None) for p in ("fp32", "bf16", "int8")
     for a in ("", "duplicates once", "one core")]
    + [("Millrace", "int8", AVX2, None, None)]
    + [("OpenVINO", p, BUDGET, "openvino_runtime", "openvino") for p in ("fp32", "bf16", "int8")]
    + [("OpenVINO", "int8", f"{BUDGET}, {AVX2}", "openvino_runtime", "openvino")]
    + [("ONNX Runtime", p, a, "onnx_runtime", None) for p in ("fp32", "int8")
       for a in (BUDGET, "sorted b32", "random b32")]
    + [("Transformers", "fp32", a, "transformers_pipeline", "pytorch")
       for a in ("sorted b32", "one by one")]
    + [("CTranslate2", p, BUDGET, "ctranslate2_encoder", "ctranslate2") for p in ("fp32", "int8")])
# One length leaves nothing to sort, and only reviews repeat themselves.
ONLY_IN = {"duplicates once": {"reviews"}, "sorted b32": {"sst2", "reviews"},
           "random b32": {"sst2", "reviews"}, "one by one": {"sst2", "reviews"},
           "one core": {"sst2"}, AVX2: {"sst2"}, f"{BUDGET}, {AVX2}": {"sst2"}}
QUICK_EVERY = 8
# fp32 engines compute the same function: more apart is another model.
FP32_TOLERANCE = 1e-3


class Skip(Exception):
    """Why a row has no figure."""


class Millrace:
    """Each round is a `millrace bench`; it loads and warms itself before its clock starts."""

    answers = {}  # by precision and text set: duplicates answered once change nothing

    def __init__(self, precision, arrangement, model, isa):
        self.precision, self.model, self.isa = precision, model, isa
        self.dedup = arrangement == "duplicates once"
        self.threads = 1 if arrangement == "one core" else THREADS
        # Tells a precision that this program or CPU does not have.
        self.seconds({"lines": bench_texts.write_lines(WORK / "compare-one.txt", ["one text"])})

    def first_answers(self, data):
        key = (self.precision, data["name"])
        if key not in self.answers:
            self.answers[key] = millrace_runs.probabilities(self.model, data["texts"],
                                                            self.precision, self.isa)
        return self.answers[key]

    def seconds(self, data):
        try:
            result = millrace_runs.engine(self.model, data["lines"], self.precision,
                                          self.threads, self.dedup, self.isa)
        except millrace_runs.Refused as refusal:
            raise Skip(str(refusal)) from None
        return result["seconds"]

    def close(self):
        pass


class Baseline:
    """A process of engines/worker.py."""

    def __init__(self, module, needs, precision, arrangement, model, isa):
        missing = pathlib.Path(sys.prefix) / f"missing-{needs}.txt"
        if missing.exists():
            raise Skip("not installed: " + missing.read_text().strip())
        environment = dict(os.environ)
        if isa:
            for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
                environment[name] = isa.upper().replace("AVX512", "AVX512_CORE")
        self.log = open(WORK / f"worker-{module}-{precision}.log", "w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engines.worker", module, precision, arrangement, str(model),
             str(WORK), str(THREADS)],
            cwd=BENCH, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.log, text=True)
        self.version = self._reply()["version"]

    def _reply(self):
        line = self.process.stdout.readline()
        if not line:
            raise Skip(f"its process ended; see {self.log.name}")
        message = json.loads(line)
        if "why" in message:
            raise Skip(message["why"])
        return message

    def _run(self, data):
        self.process.stdin.write(json.dumps({"texts": str(data["file"])}) + "\n")
        self.process.stdin.flush()
        return self._reply()

    def first_answers(self, data):
        return self._run(data)["answers"]

    def seconds(self, data):
        return self._run(data)["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def make_sets(names, every):
    """The text sets by name, with their files and token ids."""
    tokenizer = bench_texts.load_tokenizer()
    makers = {"sst2": bench_texts.sst2_dev,
              "reviews": lambda: bench_texts.app_reviews(2000),
              "length128": lambda: bench_texts.of_length(tokenizer, 128, 160),
              "length500": lambda: bench_texts.of_length(tokenizer, 500, 40)}
    sets = {}
    for name in names:
        texts = makers[name]()[::every]
        ids = [e.ids for e in tokenizer.encode_batch(texts)]
        data = {"name": name, "texts": texts, "ids": ids, "tokens": sum(map(len, ids)),
                "lines": bench_texts.write_lines(WORK / f"compare-{name}.txt", texts),
                "file": WORK / f"compare-{name}.json"}
        data["file"].write_text(json.dumps({"texts": texts, "ids": ids}))
        sets[name] = data
    return sets


def row_name(row):
    return " ".join(part for part in row[:3] if part)


def wanted(row, only):
    return not only or any(word.lower() in row_name(row).lower() for word in only)


def start(row, model, isa):
    engine, precision, arrangement, module, needs = row
    if arrangement.endswith(AVX2):
        if isa or not machine.isa_name().startswith("avx512"):
            raise Skip("this run has no wider instructions, so the row without is the same")
        isa, arrangement = "avx2", arrangement.removesuffix(AVX2).removesuffix(", ")
    if module is None:
        return Millrace(precision, arrangement, model, isa)
    return Baseline(module, needs, precision, arrangement, model, isa)


def say(text):
    print(text, file=sys.stderr, flush=True)


class Comparison:
    """Engines that are alive and what they have shown; one result row for each engine."""

    def __init__(self, sets, turns, isa):
        self.sets, self.turns, self.isa = sets, turns, isa
        self.model = random_model.make_model(WORK / "distilbert-base-random", random_model.BASE,
                                             bench_texts.tokenizer_folder())
        self.engines, self.results = {}, []

    def prepare(self, row):
        name = row_name(row)
        result = {"name": name, "engine": row[0], "precision": row[1], "arrangement": row[2],
                  "sets": {}}
        self.results.append(result)
        say(f"preparing {name}")
        try:
            engine = start(row, self.model, self.isa)
            result["version"] = getattr(engine, "version", None)
            for set_name, data in self.sets.items():
                if set_name in ONLY_IN.get(row[2], self.sets):
                    with self.turns.measuring():  # it fills all cores, as a round does
                        answers = engine.first_answers(data)
                    result["sets"][set_name] = {"seconds": [], "answers": answers}
        except (Skip, millrace_runs.Refused) as skip:
            result["why"] = str(skip)
            result["sets"] = {}
            say(f"  skipped: {skip}")
            return
        self.engines[name] = engine

    def measure(self, rounds):
        for set_name, data in self.sets.items():
            for turn in range(rounds):
                say(f"{set_name}: round {turn + 1} of {rounds}")
                for result in self.results:
                    if set_name not in result["sets"]:
                        continue
                    with self.turns.measuring():
                        seconds = self.engines[result["name"]].seconds(data)
                    result["sets"][set_name]["seconds"].append(seconds)
        self.turns.release()

    def judge(self):
        """Replaces seconds and answers by what a reader wants to know of them."""
        answers = {}
        for result in self.results:
            for name, shown in result["sets"].items():
                answers.setdefault(name, {}).setdefault(result["precision"], shown["answers"])
        problems = []
        for result in self.results:
            for name, shown in result["sets"].items():
                data = self.sets[name]
                median = statistics.median(shown["seconds"])
                shown["sequences_per_s"] = len(data["texts"]) / median
                shown["tokens_per_s"] = data["tokens"] / median
                # All are compared with the first engine of the best precision in this run.
                base = next(iter(answers[name].values()))
                pairs = list(zip(shown.pop("answers"), base))
                shown["largest_difference"] = max(abs(a - b) for a, b in pairs)
                shown["labels_changed"] = sum((a > 0.5) != (b > 0.5) for a, b in pairs)
                if result["precision"] == "fp32" and shown["largest_difference"] > FP32_TOLERANCE:
                    problems.append(f"{result['name']} answers otherwise on {name}: "
                                    f"{shown['largest_difference']:.2g}")
        return problems

    def close(self):
        for engine in self.engines.values():
            engine.close()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="WORD",
                        help="only rows whose name has this word (int8, OpenVINO); may repeat")
    parser.add_argument("--sets", default="sst2,reviews,length128,length500",
                        help="text sets (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help=f"one round over every {QUICK_EVERY}th text")
    parser.add_argument("--rounds", type=int, metavar="N", help="timed rounds (default: 5)")
    parser.add_argument("--every", type=int, metavar="N", help="only every Nth text (default: 1)")
    parser.add_argument("--isa", metavar="NAME",
                        help="hold Millrace and the engines on oneDNN to it (avx2)")
    parser.add_argument("--under", metavar="COMMAND",
                        help="measure while this command runs, to take turns with others: "
                             "'flock FILE'")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 5)
    arguments.every = arguments.every or (QUICK_EVERY if arguments.quick else 1)
    return arguments


def main():
    arguments = parse()
    WORK.mkdir(parents=True, exist_ok=True)
    sets = make_sets(arguments.sets.split(","), arguments.every)
    comparison = Comparison(sets, machine.Turns(arguments.under), arguments.isa)
    for row in ROWS:
        if wanted(row, arguments.only):
            comparison.prepare(row)
    comparison.measure(arguments.rounds)
    problems = comparison.judge()
    comparison.close()
    report = {**machine.describe(), "isa_forced": arguments.isa, "rounds": arguments.rounds,
              "every": arguments.every, "options": sys.argv[1:],
              "sets": {name: {"texts": len(data["texts"]), "tokens": data["tokens"]}
                       for name, data in sets.items()},
              "rows": comparison.results}
    report["targets"] = compare_report.targets(report)
    whole = not arguments.only and not arguments.quick and len(sets) == 4
    compare_report.write(report, whole)
    for problem in problems:
        say(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
