"""What the handlers of foreign models cost, as whole jobs: Python code that answers at once, the
same code under gunicorn driven by wrk, and a model server that answers at once.

    bench/handlers [--build FOLDER] [--runs N] [--json FILE]

Prints a table with the best of the runs. The worker processes (--workers) and, where HTTP is
spoken, the connections are the same on both sides; gunicorn runs with keep-alive (gthread, one
thread in each worker), and wrk's own time is not in its figure, while a job's start, listing and
end are in ours. Inputs, staged parts and outputs lie in memory where there is a /dev/shm: a disk
that takes each byte twice (once staged, once in its place) is not what is measured here. --folder
DISK measures it too.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINE = "a review of some forty characters or so\n"
CODE = """
def model_fn(model_dir):
    return None


def transform_fn(model, data, content_type, accept):
    return {answer}, accept
"""
WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = [[{line}]]
wrk.headers["Content-Type"] = "text/plain"
wrk.headers["Accept"] = "text/plain"
"""


class Bench:
    def __init__(self, arguments, folder):
        self.program = os.environ.get("MILLRACE_BIN") or arguments.build / "millrace"
        self.static_server = arguments.build / "bench" / "static_server"
        self.workers, self.runs, self.folder = arguments.workers, arguments.runs, folder
        self.records, self.megabytes = arguments.records, arguments.megabytes
        self.short = make_model(folder / "short", "b'ok\\n'")
        self.echo = make_model(folder / "echo", "data")
        (folder / "few.txt").write_text(LINE)
        (folder / "records.txt").write_text(LINE * self.records)
        (folder / "large.txt").write_text(LINE * (self.megabytes * 1_000_000 // len(LINE)))

    def job(self, model, source, *flags):
        """(records, seconds) of a whole job."""
        output = self.folder / "out.txt"
        environment = dict(os.environ, XDG_STATE_HOME=str(self.folder / "state"))
        started = time.monotonic()
        done = subprocess.run(
            [self.program, "transform", "--model", model, "--input", self.folder / source,
             "--output", output, "--if-exists", "overwrite", "--content-type", "text/plain",
             "--accept", "text/plain", "--split-type", "Line", "--assemble-with", "None",
             "--progress", "none", *flags],
            env=environment, check=True, capture_output=True)
        seconds = time.monotonic() - started
        output.unlink()
        return json.loads(done.stdout.splitlines()[-1])["records"], seconds

    def best_rate(self, model, *flags):
        runs = [self.job(model, "records.txt", "--batch-strategy", "SingleRecord", *flags)
                for _ in range(self.runs)]
        return max(records / seconds for records, seconds in runs)

    def python_start(self):
        self.job(self.short, "few.txt")  # makes the environment, once
        return min(self.job(self.short, "few.txt")[1] for _ in range(self.runs))

    def python_requests(self):
        return self.best_rate(self.short, "--max-concurrent-transforms", str(self.workers))

    def python_megabytes(self):
        flags = ("--max-concurrent-transforms", str(self.workers))
        return max(self.megabytes / self.job(self.echo, "large.txt", *flags)[1]
                   for _ in range(self.runs))

    def server_requests(self, concurrent=8):
        server = subprocess.Popen([self.static_server], text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        try:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            return self.best_rate(url, "--max-concurrent-transforms", str(concurrent))
        finally:
            server.stdin.close()
            server.wait()

    def gunicorn_requests(self, seconds=5):
        """None where there is no wrk."""
        if shutil.which("wrk") is None:
            return None
        port = free_port()
        environment = dict(os.environ, MODEL_FOLDER=str(self.short))
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--chdir", str(ROOT / "bench"), "--bind",
             f"127.0.0.1:{port}", "--workers", str(self.workers), "--worker-class", "gthread",
             "--threads", "1", "--keep-alive", "60", "--log-level", "error", "wsgi_app"],
            env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/ping")
            script = self.folder / "post.lua"
            script.write_text(WRK_SCRIPT.format(line=LINE.strip()))
            return max(wrk(port, self.workers, seconds, script) for _ in range(self.runs))
        finally:
            server.terminate()
            server.wait()


def make_model(folder, answer):
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text(CODE.format(answer=answer))
    return folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(url, timeout=1).status
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def wrk(port, connections, seconds, script):
    done = subprocess.run(["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-s",
                           script, f"http://127.0.0.1:{port}/invocations"],
                          check=True, capture_output=True, text=True)
    errors = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", done.stdout)
    if errors:
        raise RuntimeError(errors.group(0))
    return float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout).group(1))


def measure(bench):
    start = bench.python_start()
    ours = bench.python_requests()
    rows = [("Python code: a job of one record", "s", start, "at most 1"),
            ("Python code: SingleRecord", "requests/s", ours, "at least 3,000")]
    other = bench.gunicorn_requests()
    if other is None:
        rows.append(("the same under gunicorn, by wrk", "requests/s", None, "wrk is not installed"))
    else:
        rows.append(("the same under gunicorn, by wrk", "requests/s", other, ""))
        rows.append(("ours beside gunicorn", "times", ours / other, "at least 0.9"))
    rows.append(("Python code: MultiRecord, 6 MiB", "MB/s", bench.python_megabytes(),
                 "at least 200"))
    rows.append(("model server, 8 in flight: SingleRecord", "requests/s", bench.server_requests(),
                 "at least 8,000"))
    return rows


def shown(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    memory = pathlib.Path("/dev/shm")
    parser.add_argument("--folder", type=pathlib.Path, default=memory if memory.is_dir() else None,
                        help="where inputs and outputs lie (default: /dev/shm)")
    parser.add_argument("--json", type=pathlib.Path, help="writes the figures there, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        rows = measure(Bench(arguments, pathlib.Path(name)))
    for what, unit, value, aim in rows:
        print(f"{what:<42} {shown(value):>8} {unit:<11} {aim}")
    if arguments.json:
        figures = [{"what": what, "unit": unit, "value": value} for what, unit, value, _ in rows]
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
