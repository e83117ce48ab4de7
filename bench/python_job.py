"""What the python handler costs: jobs with an inference.py that answers at once.

    bench/python_job.py BUILD_FOLDER [--records N] [--megabytes N]

Prints one JSON line: requests a second with one record in each, megabytes a second with
mini-batches of 6 MiB, and seconds of a job of one record; whole jobs, best of --runs. Needs the
target `millrace` there, and the network once, for the environment that the program makes.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

CODE = """
def model_fn(model_dir):
    return None


def transform_fn(model, data, content_type, accept):
    return {answer}, accept
"""


def make_model(folder, answer):
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text(CODE.format(answer=answer))
    return folder


def run_job(program, model, source, folder, name, *flags):
    environment = dict(os.environ, XDG_STATE_HOME=str(folder / "state"))
    started = time.monotonic()
    done = subprocess.run(
        [program, "transform", "--model", model, "--input", source, "--output",
         folder / f"{name}.out", "--content-type", "text/plain", "--split-type", "Line",
         "--assemble-with", "None", "--progress", "none", *flags],
        env=environment, check=True, capture_output=True)
    return json.loads(done.stdout.splitlines()[-1]), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    program = arguments.build / "millrace"
    line = "a review of some forty characters or so\n"
    requests, megabytes, startups = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        short = make_model(folder / "short", "b'ok\\n'")
        echo = make_model(folder / "echo", "data")
        (folder / "few.txt").write_text(line)
        (folder / "records.txt").write_text(line * arguments.records)
        (folder / "large.txt").write_text(line * (arguments.megabytes * 1_000_000 // len(line)))
        run_job(program, short, folder / "few.txt", folder, "first")
        for number in range(arguments.runs):
            _, seconds = run_job(program, short, folder / "few.txt", folder, f"start{number}")
            startups.append(seconds)
            summary, seconds = run_job(program, short, folder / "records.txt", folder,
                                       f"one{number}", "--batch-strategy", "SingleRecord")
            requests.append(summary["records"] / seconds)
            _, seconds = run_job(program, echo, folder / "large.txt", folder, f"many{number}")
            megabytes.append(arguments.megabytes / seconds)
    print(json.dumps({"requests_per_s": round(max(requests)),
                      "megabytes_per_s": round(max(megabytes)),
                      "one_record_job_s": round(min(startups), 3)}))


if __name__ == "__main__":
    main()
