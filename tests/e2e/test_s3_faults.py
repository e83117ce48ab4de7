"""S3 behind a network that fails: what may be tried again is, what may not ends with its cause, and
never is there a wrong or partial object, or an upload left once the job has run again."""
import json
import random

import pytest

from cli import json_lines, write
from fault_proxy import FaultProxy

PASSING = ["latency", "reset", "lost_reply", "half_reply", "500", "503", "429"]
SMALL = json_lines({"id": i, "inputs": f"great app {i}"} for i in range(20))


@pytest.fixture(scope="module")
def large():
    """Two upload parts' worth of output under a join."""
    return json_lines({"id": i, "pad": "x" * 2000, "inputs": f"bad app {i % 40}"}
                      for i in range(6000))


@pytest.fixture
def inputs(s3_server, bucket, large):
    s3_server.put(bucket, "in/a.jsonl", SMALL.encode())
    s3_server.put(bucket, "in/b.jsonl", large.encode())
    s3_server.put(bucket, "in/c.jsonl", SMALL.encode())
    return bucket


def outputs(server, bucket):
    return {key: server.get(bucket, key) for key in server.list(bucket, "out")}


def run(cli, model, server, bucket, url, out="out", exit_status=0):
    cli.extra_environment = {**server.environment, "AWS_ENDPOINT_URL_S3": url}
    return cli.transform(model, f"s3://{bucket}/in/", f"s3://{bucket}/{out}/", "--join-source",
                         "Input", "--job-name", "faults-" + out, exit_status=exit_status)


@pytest.fixture
def expected(cli, tiny_model, s3_server, inputs):
    """The outputs of a job that nothing disturbs."""
    run(cli, tiny_model, s3_server, inputs, s3_server.url, "quiet")
    found = {key.replace("quiet/", "out/"): s3_server.get(inputs, key)
             for key in s3_server.list(inputs, "quiet/")}
    assert len(found) == 3
    return found


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_now_and_then_changes_nothing(cli, tiny_model, s3_server, inputs, expected, fault):
    source = random.Random(fault)
    # Every fifth request or so, and never one right after another: five tries are enough then.
    last = [-2]

    def choose(number, method, target):
        if number < last[0] + 2 or source.random() > 0.3:
            return None
        last[0] = number
        return fault

    with FaultProxy(s3_server.port, choose) as proxy:
        run(cli, tiny_model, s3_server, inputs, proxy.url)
    assert len(proxy.happened) >= 2, f"{proxy.requests} requests"
    assert outputs(s3_server, inputs) == expected
    assert s3_server.uploads(inputs) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("fault", ["lost_reply", "half_reply", "503"])
def test_the_first_request_of_each_kind_fails_once(cli, tiny_model, s3_server, inputs, expected,
                                                   fault, method):
    seen = set()

    def choose(number, verb, target):
        # POST begins and completes an upload: both are hit.
        kind = (verb, "uploadId" in target)
        if verb != method or kind in seen:
            return None
        seen.add(kind)
        return fault

    with FaultProxy(s3_server.port, choose) as proxy:
        run(cli, tiny_model, s3_server, inputs, proxy.url)
    assert proxy.happened
    assert outputs(s3_server, inputs) == expected
    assert s3_server.uploads(inputs) == []


def test_an_error_inside_a_200_to_complete_is_tried_again(cli, tiny_model, s3_server, inputs,
                                                          expected):
    left = [2]

    def choose(number, method, target):
        if method != "POST" or "uploadId" not in target or left[0] == 0:
            return None
        left[0] -= 1
        return "200_error"

    with FaultProxy(s3_server.port, choose) as proxy:
        run(cli, tiny_model, s3_server, inputs, proxy.url)
    assert len(proxy.happened) == 2
    assert outputs(s3_server, inputs) == expected
    assert s3_server.uploads(inputs) == []


def test_an_upload_that_never_completes_fails_its_object_alone(cli, tiny_model, s3_server, inputs,
                                                               expected):
    def choose(number, method, target):
        return "200_error" if method == "POST" and "uploadId" in target else None

    with FaultProxy(s3_server.port, choose) as proxy:
        done = run(cli, tiny_model, s3_server, inputs, proxy.url, exit_status=1)
    assert "in/b.jsonl" in done.stderr and "InternalError" in done.stderr, done.stderr
    assert sorted(outputs(s3_server, inputs)) == ["out/a.jsonl.out", "out/c.jsonl.out"]
    assert s3_server.uploads(inputs) == []
    run(cli, tiny_model, s3_server, inputs, s3_server.url)
    assert outputs(s3_server, inputs) == expected


@pytest.mark.parametrize("fault,words", [("expired", "ExpiredToken"), ("reset", "127.0.0.1")])
def test_a_store_that_is_gone_in_mid_job_fails_it_and_the_next_run_goes_on(
        cli, tiny_model, s3_server, inputs, expected, fault, words):
    # Once the upload of the large object has begun.
    gone = [False]

    def choose(number, method, target):
        gone[0] = gone[0] or (method == "PUT" and "partNumber=1" in target)
        return fault if gone[0] else None

    with FaultProxy(s3_server.port, choose) as proxy:
        done = run(cli, tiny_model, s3_server, inputs, proxy.url, exit_status=1)
    assert "in/b.jsonl" in done.stderr and words in done.stderr, done.stderr
    assert "out/b.jsonl.out" not in outputs(s3_server, inputs)

    run(cli, tiny_model, s3_server, inputs, s3_server.url)
    assert outputs(s3_server, inputs) == expected
    assert s3_server.uploads(inputs) == []


def test_credentials_that_expire_in_mid_job_are_fetched_anew(cli, tiny_model, s3_server, inputs,
                                                             expected, tmp_path):
    """Refused from the first upload part on, until their source was asked again."""
    keys = {"Version": 1, "AccessKeyId": s3_server.environment["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": s3_server.environment["AWS_SECRET_ACCESS_KEY"],
            "Expiration": "2099-01-01T00:00:00Z"}
    asked = write(tmp_path / "asked", "")
    write(tmp_path / "keys.json", json.dumps(keys))
    source = write(tmp_path / "source.sh",
                   f"#!/bin/sh\necho asked >>{asked}\ncat {tmp_path}/keys.json\n")
    source.chmod(0o755)
    config = write(tmp_path / "config", f"[profile short]\ncredential_process = {source}\n")
    before = []  # how often it had been asked when the upload began

    def times():
        return len(asked.read_text().split())

    def choose(number, method, target):
        if not before and method == "PUT" and "partNumber=1" in target:
            before.append(times())
        return "expired" if before and times() == before[0] else None

    with FaultProxy(s3_server.port, choose) as proxy:
        cli.extra_environment = {
            name: value for name, value in s3_server.environment.items() if "KEY" not in name
        } | {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "short",
             "AWS_ENDPOINT_URL_S3": proxy.url}
        cli.transform(tiny_model, f"s3://{inputs}/in/", f"s3://{inputs}/out/", "--join-source",
                      "Input")
    assert proxy.happened and times() > before[0]
    assert outputs(s3_server, inputs) == expected
    assert s3_server.uploads(inputs) == []
