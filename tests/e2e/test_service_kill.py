"""kill -9 at random moments while jobs are created and run: no job that was acknowledged is lost,
none is stuck, and the outputs are those of an undisturbed run. Three kills with every test, 100 in
the long form (MILLRACE_LONG_TESTS=1)."""
import os
import random
import signal
import threading
import time

import botocore.exceptions

import service as s
from cli import json_lines

KILLS = 100 if os.environ.get("MILLRACE_LONG_TESTS") == "1" else 3
FAILURES = (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError,
            botocore.exceptions.ReadTimeoutError, botocore.exceptions.HTTPClientError)


def reviews(count):
    return json_lines({"inputs": f"great app number {i}"} for i in range(count)).encode()


class Creator(threading.Thread):
    """Creates jobs without a pause, whatever happens to the server; remembers what was promised."""

    def __init__(self, service, bucket):
        super().__init__(daemon=True)
        self.service, self.bucket = service, bucket
        self.promised, self.stopping, self.number = [], threading.Event(), 0

    def run(self):
        while not self.stopping.is_set():
            name = f"job-{self.number}"
            request = s.job_request(name, self.bucket)
            request["TransformOutput"]["S3OutputPath"] = f"s3://{self.bucket}/out/{name}"
            try:
                self.service.client().create_transform_job(**request)
            except FAILURES:
                time.sleep(0.05)
                continue  # nobody knows; the same name again tells
            except botocore.exceptions.ClientError as error:
                # It was stored before the answer could be given.
                assert error.response["Error"]["Code"] == "ResourceInUse", error
            self.promised.append(name)
            self.number += 1
            time.sleep(0.4)


def test_no_job_is_lost_and_none_is_stuck(cli, s3_server, bucket, tmp_path):
    rng = random.Random(7)
    content = reviews(1000)
    for key in ("a.jsonl", "b.jsonl"):
        s3_server.put(bucket, f"in/{key}", content)
    service = s.Service(cli, tmp_path / "service", "--threads", "1",
                        environment=s3_server.environment)
    s.create_model(service.client())
    creator = Creator(service, bucket)
    creator.start()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 1.5))
        service.stop(signal.SIGKILL, exit_status=None)
        service.start()
    creator.stopping.set()
    creator.join(30)
    assert not creator.is_alive() and creator.promised
    client = service.client()
    expected = None
    for name in creator.promised:
        shown = s.wait(client, name, seconds=300)
        assert shown["TransformJobStatus"] == "Completed", shown
        outputs = {key.rsplit("/", 1)[1]: s3_server.get(bucket, key)
                   for key in s3_server.list(bucket, f"out/{name}/")}
        assert sorted(outputs) == ["a.jsonl.out", "b.jsonl.out"]
        expected = expected or outputs
        assert outputs == expected, name
    assert len(set(creator.promised)) == len(creator.promised)
    assert expected["a.jsonl.out"].count(b"\n") == 1000
    assert s3_server.uploads(bucket) == []
    print(f"{KILLS} kills, {len(creator.promised)} jobs")
    service.stop()
