"""What the http handler can do: jobs of one-line records against a server that answers at once.

    bench/http_job.py BUILD_FOLDER [--records N] [--concurrent 8]

Prints one JSON line: requests a second of the whole job, program start and listing included. Needs
the targets `millrace` and `static_server` there.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time


def run_job(program, url, folder, number, concurrent):
    environment = dict(os.environ, XDG_STATE_HOME=str(folder / "state"))
    started = time.monotonic()
    done = subprocess.run(
        [program, "transform", "--model", url, "--input", folder / "in.txt", "--output",
         folder / f"out{number}.txt", "--content-type", "text/plain", "--split-type", "Line",
         "--assemble-with", "None", "--batch-strategy", "SingleRecord", "--progress", "none",
         "--max-concurrent-transforms", str(concurrent)],
        env=environment, check=True, capture_output=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    return summary["records"], time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--concurrent", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    server = subprocess.Popen([arguments.build / "bench" / "static_server"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "in.txt").write_text("a review of some forty characters or so\n"
                                           * arguments.records)
            rates = []
            for number in range(arguments.runs):
                records, seconds = run_job(arguments.build / "millrace", url, folder, number,
                                           arguments.concurrent)
                rates.append(round(records / seconds))
    finally:
        server.stdin.close()
        server.wait()
    print(json.dumps({"requests_per_s": rates, "records": arguments.records,
                      "concurrent": arguments.concurrent}))


if __name__ == "__main__":
    main()
