"""A service that is killed and started again: what had ended stays as it was and is told once, what
was being stopped ends Stopped, the rest is done with the outputs of an undisturbed service.

Eight kills; a hundred with MILLRACE_LONG_TESTS=1.
"""
import json
import os
import random
import signal
import threading

import botocore.exceptions
import pytest

import service as s
from cli import json_lines

KILLS = 100 if os.environ.get("MILLRACE_LONG_TESTS") == "1" else 8
TEXTS = [{"inputs": text} for text in ("great app", "I hate it", "ok", "a slow, sad film")] * 5


class Creator:
    """Creates one job after the other, until the service is gone or there are enough of them."""

    def __init__(self, service, bucket, number, count=6):
        self.client, self.bucket, self.number, self.count = (
            service.client(), bucket, number, count)
        self.acknowledged = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        for i in range(self.count):
            name = f"job-{self.number}-{i}"
            request = s.job_request(name, self.bucket)
            request["TransformOutput"]["S3OutputPath"] = f"s3://{self.bucket}/out/{name}"
            try:
                self.client.create_transform_job(**request)
            except botocore.exceptions.BotoCoreError:
                return  # it was killed meanwhile
            self.acknowledged.append(name)


def ended_jobs(service):
    pages = service.client().get_paginator("list_transform_jobs").paginate(
        PaginationConfig={"PageSize": 100})
    return {job["TransformJobName"]: job["TransformEndTime"] for page in pages
            for job in page["TransformJobSummaries"] if job["TransformJobStatus"] == "Completed"}


@pytest.fixture
def service(cli, s3_server, tmp_path):
    running = s.Service(cli, tmp_path / "service", "--threads", "1", "--event-file",
                        tmp_path / "events", environment=s3_server.environment, keys=None)
    yield running
    if running.process.poll() is None:
        running.stop()


def test_kills_repeat_nothing_that_has_ended(service, s3_server, bucket, tmp_path):
    chance = random.Random(7)
    for name in ("in/a.jsonl", "in/b.jsonl"):
        s3_server.put(bucket, name, json_lines(TEXTS).encode())
    s.create_model(service.client())
    undisturbed = s.job_request("undisturbed", bucket)
    undisturbed["TransformOutput"]["S3OutputPath"] = f"s3://{bucket}/out/undisturbed"
    service.client().create_transform_job(**undisturbed)
    assert s.wait(service.client(), "undisturbed")["TransformJobStatus"] == "Completed"

    acknowledged, ended = [], ended_jobs(service)
    for number in range(KILLS):
        creator = Creator(service, bucket, number)
        creator.thread.join(chance.uniform(0.02, 0.5))
        service.stop(signal.SIGKILL, exit_status=-signal.SIGKILL)
        creator.thread.join(30)
        acknowledged += creator.acknowledged
        service.start()
        now = ended_jobs(service)
        # What has ended stays as it was: it did not run again.
        assert {name: now.get(name) for name in ended} == ended
        ended = now

    assert len(acknowledged) >= KILLS
    for name in acknowledged:
        assert s.wait(service.client(), name)["TransformJobStatus"] == "Completed"
        for key in ("a.jsonl.out", "b.jsonl.out"):
            assert (s3_server.get(bucket, f"out/{name}/{key}") ==
                    s3_server.get(bucket, f"out/undisturbed/{key}"))
    assert s3_server.uploads(bucket) == []
    service.stop()
    # Every end was told; a second time, where a kill came before that was noted, as the same event.
    told = map(json.loads, (tmp_path / "events").read_text().splitlines())
    completed = {event["id"]: event["detail"]["TransformJobName"] for event in told
                 if event["detail"]["TransformJobStatus"] == "Completed"}
    assert len(completed.values()) == len(set(completed.values()))
    assert set(completed.values()) >= {*acknowledged, "undisturbed"}


def test_a_job_that_was_stopping_ends_stopped(service, s3_server, bucket):
    client = service.client()
    s3_server.put(bucket, "in/a.jsonl", json_lines(TEXTS * 2000).encode())
    s.create_model(client)
    client.create_transform_job(**s.job_request("j", bucket))
    client.stop_transform_job(TransformJobName="j")
    service.stop(signal.SIGKILL, exit_status=-signal.SIGKILL)
    service.start()
    shown = s.wait(service.client(), "j")
    assert shown["TransformJobStatus"] == "Stopped" and "TransformEndTime" in shown
    assert s3_server.uploads(bucket) == []
    service.stop()
