"""Runs the program that is measured: the engine alone (`millrace bench`) and whole jobs
(`millrace transform`)."""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import texts as bench_texts
from machine import MILLRACE, WORK


class Refused(Exception):
    """The program would not run; the message is its own."""


def _environment(isa):
    return {**os.environ, **({"MILLRACE_ISA": isa} if isa else {})}


def engine(model, lines, precision="fp32", threads=None, dedup=False, isa=None):
    """`millrace bench` over a file of one text a line: its JSON."""
    command = [MILLRACE, "bench", "--model", str(model), "--input", str(lines),
               "--precision", precision]
    command += ["--threads", str(threads)] if threads else []
    command += ["--dedup"] if dedup else []
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(isa))
    if done.returncode != 0:
        raise Refused(_last_line(done.stderr).removeprefix("millrace: ")
                      .removeprefix(f"model {model}: "))
    result = json.loads(_last_line(done.stdout))
    if result["precision"] != precision:
        raise Refused(f"this CPU has no {precision}; the program fell back to "
                      f"{result['precision']}")
    return result


def _last_line(text):
    lines = text.strip().split("\n")
    return lines[-1]


def probabilities(model, texts, precision="fp32", isa=None):
    """p(POSITIVE) of each text, as a job writes it."""
    source = bench_texts.write_jsonl(WORK / "answers.jsonl", texts)
    run = Job(model, source, "--precision", precision, "--output-shape", "columns", isa=isa,
              keep=True)
    try:
        with open(run.output_file(), encoding="utf-8") as f:
            return [json.loads(line)["score_POSITIVE"] for line in f]
    finally:
        run.remove()


class Job:
    """A finished `millrace transform` over one file: summary, wall seconds, peak resident MB."""

    def __init__(self, model, source, *flags, stop_after=None, isa=None, keep=False):
        self.folder = WORK / f"job-{os.getpid()}-{time.time_ns()}"
        self.out = self.folder / "out"
        command = [MILLRACE, "transform", "--model", str(model), "--input", str(source), "--output",
                   str(self.out), "--work-dir", str(self.folder / "state"), "--progress", "none",
                   *flags]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=_environment(isa))
        timer = threading.Timer(stop_after or 1e6, process.send_signal, [signal.SIGINT])
        timer.daemon = True
        timer.start()
        stdout = process.stdout.read().decode()
        errors = process.stderr.read().decode()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0  # reaped here, for its resource usage
        timer.cancel()
        self.seconds = time.perf_counter() - start
        self.peak_mb = usage.ru_maxrss / 1024
        if not stdout.strip():
            self.remove()
            raise Refused(_last_line(errors))
        self.summary = json.loads(_last_line(stdout))
        if not keep:
            self.remove()

    def output_file(self):
        return self.out if self.out.is_file() else next(pathlib.Path(self.out).rglob("*.out"))

    def remove(self):
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)
