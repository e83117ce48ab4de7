#!/usr/bin/env python3
"""DescribeTransformJob under load, as the service promises it: 5,000 signed requests a second for
distinct jobs, with 1,000 idle connections and a slow client, while a job runs. The server's own
thread and the load generator share core 0; the job and everything else of the process has core 1.

    scripts/test-python bench/describe_load.py [--build build/release] [--rate 5000] [--seconds 10]

Needs the S3 server of the tests. Prints what the load generator measured, as one line of JSON.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import s3_server  # noqa: E402
import service as s  # noqa: E402
from cli import Cli, json_lines  # noqa: E402

LOAD_CORE, JOB_CORE = 0, 1


def pin(pid):
    """The first thread is the server's."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(tid), {LOAD_CORE if int(tid) == pid else JOB_CORE})


def long_job(client, s3, bucket):
    lines = json_lines({"inputs": f"review {i}: great app, but the update number {i} crashes"}
                       for i in range(300_000))
    s3.put(bucket, "long/a.jsonl", lines.encode())
    client.create_transform_job(**s.job_request("long", bucket, source="long/"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--idle", type=int, default=1000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        s3 = s3_server.S3Server(folder / "s3")
        service = s.Service(Cli(arguments.build / "millrace", folder), folder / "service",
                            "--threads", "1", environment=s3.environment)
        try:
            client, bucket = service.client(), s3.make_bucket("bench")
            s3.put(bucket, "in/a.jsonl", json_lines([{"inputs": "great app"}]).encode())
            s.create_model(client)
            for i in range(arguments.jobs):
                client.create_transform_job(**s.job_request(f"job-{i}", bucket))
            for i in range(arguments.jobs):
                s.wait(client, f"job-{i}")
            long_job(client, s3, bucket)
            pin(service.process.pid)
            done = subprocess.run(
                [arguments.build / "bench/describe_load",
                 urllib.parse.urlparse(service.url).netloc, s.ACCESS_KEY, s.SECRET_KEY,
                 str(arguments.jobs), str(arguments.rate), str(arguments.seconds),
                 str(arguments.idle)],
                stdout=subprocess.PIPE, text=True, check=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}))
            shown = client.describe_transform_job(TransformJobName="long")
            result = json.loads(done.stdout)
            result["job_ran_all_the_time"] = shown["TransformJobStatus"] == "InProgress"
            print(json.dumps(result))
        finally:
            service.stop(exit_status=None)
            s3.stop()


if __name__ == "__main__":
    main()
