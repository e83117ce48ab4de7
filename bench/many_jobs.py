#!/usr/bin/env python3
"""A service whose store holds many jobs: how long it takes to start, how much memory it needs, and
how long List takes where it finds nothing (it then looks at all of them).

    bench/many_jobs.py [--program build/release/millrace] [--jobs 100000]

Prints one JSON line. The jobs are written into the store by hand, as the service would have.
"""
import argparse
import json
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]


def start(program, folder):
    process = subprocess.Popen(
        [program, "serve", "--no-auth", "--listen", "127.0.0.1:0", "--data-dir", folder],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        found = re.search(r'url"?[=:]"?(https?://[\d.]+:\d+)', line)
        if found:
            return process, found.group(1)
    raise SystemExit("the service did not start")


def fill(store, count):
    request = {
        "ModelName": "sentiment",
        "TransformInput": {"DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": "s3://nightly-reviews/2026/11/25/"}},
            "ContentType": "application/jsonlines", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": "s3://nightly-results/2026/11/25",
                            "AssembleWith": "Line", "Accept": "application/jsonlines"},
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        "Environment": {"MILLRACE_ON_RECORD_ERROR": "record", "MILLRACE_ERROR_THRESHOLD": "1%"}}
    rows = ((name := f"nightly-transform-{i:06}", name,
             json.dumps(request | {"TransformJobName": name}), "{}", 1_790_000_000_000 + i * 1000)
            for i in range(count))
    with sqlite3.connect(store) as db:
        db.executemany(
            "INSERT INTO jobs (name, name_key, request, model_request, status, failure_reason, "
            "created_ms, modified_ms, started_ms, ended_ms, progress) "
            "VALUES (?1, ?2, ?3, ?4, 'Completed', '', ?5, ?5, ?5, ?5, '{}')", rows)
    db.close()


def call(url, operation, request):
    body = json.dumps(request).encode()
    asked = urllib.request.Request(url, body, {
        "X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"})
    started = time.perf_counter()
    with urllib.request.urlopen(asked, timeout=60) as reply:
        answer = json.load(reply)
    return answer, (time.perf_counter() - started) * 1000


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024)


def milliseconds(times):
    times = sorted(times)
    return {"median": round(times[len(times) // 2], 2), "max": round(times[-1], 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", default=ROOT / "build/release/millrace")
    parser.add_argument("--jobs", type=int, default=100_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, _ = start(arguments.program, folder)  # makes the store
        process.terminate()
        process.wait()
        fill(pathlib.Path(folder) / "jobs.sqlite", arguments.jobs)
        begun = time.perf_counter()
        process, url = start(arguments.program, folder)
        out = {"jobs": arguments.jobs, "start_seconds": round(time.perf_counter() - begun, 2)}
        try:
            out["resident_mib"] = resident_mib(process.pid)
            for name, query in (("first_page", {"MaxResults": 100}),
                                ("name_not_found", {"NameContains": "absent"}),
                                ("status_not_found", {"StatusEquals": "Failed"}),
                                ("by_name", {"SortBy": "Name", "MaxResults": 100})):
                out[f"list_{name}_ms"] = milliseconds(
                    [call(url, "ListTransformJobs", query)[1] for _ in range(50)])
            last = f"nightly-transform-{arguments.jobs - 1:06}"
            shown, _ = call(url, "DescribeTransformJob", {"TransformJobName": last})
            assert shown["TransformJobStatus"] == "Completed"
        finally:
            process.terminate()
            process.wait()
    print(json.dumps(out))


if __name__ == "__main__":
    main()
