"""A job over many small objects on a real S3 server, beside what its parts cost.

    scripts/test-python bench/small_objects.py BUILD_FOLDER [--objects 100000] [--bytes 200]

Prints one JSON line: seconds of the job, of the same records in one object, and of the same
client's list, get and put of these objects alone, each the best of --runs; and job / (one + store).
Needs the target `objects_bench` in BUILD_FOLDER.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/e2e"))
import s3_server  # noqa: E402

LANES = 32  # limits::kLanesMax: as many objects as a job works on at one time


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = s3_server.S3Server(pathlib.Path(folder))
        try:
            bucket = server.make_bucket("small-objects")

            def seconds(what):
                done = subprocess.run(
                    [arguments.build / "bench/objects_bench", what, bucket,
                     str(arguments.objects), str(arguments.bytes), str(LANES)],
                    env={**os.environ, **server.environment}, check=True, capture_output=True,
                    text=True)
                return float(done.stdout)

            seconds("make")
            best = {what: [] for what in ("one", "store", "job")}
            for _ in range(arguments.runs):  # in turn, so that all see the same machine
                for what, times in best.items():
                    times.append(seconds(what))
        finally:
            server.stop()
        times = {what: min(of) for what, of in best.items()}
        ratio = times["job"] / (times["one"] + times["store"])
        # Before the folder goes, which takes a while.
        print(json.dumps({"objects": arguments.objects, "bytes": arguments.bytes, "seconds": times,
                          "ratio": round(ratio, 3), "all": best}), flush=True)


if __name__ == "__main__":
    main()
