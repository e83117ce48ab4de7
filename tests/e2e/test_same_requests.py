"""A model server that writes down every request sees the same bodies in the same order, whatever
the parts and threads, and over the runs of a job that was killed."""
import json
import os
import random
import signal
import time

import pytest

from cli import files_in, json_lines, write
from model_server import ModelServer

RECORDS = 3000


def record(number):
    return {"id": number, "inputs": "x" * (number * 37 % 900)}


@pytest.fixture
def source(tmp_path):
    write(tmp_path / "in/a.jsonl", json_lines(record(i) for i in range(RECORDS)))
    write(tmp_path / "in/b.jsonl", json_lines(record(i) for i in range(20)))
    return tmp_path / "in"


def bodies(server):
    """The bodies of each object, in the order in which they came."""
    found = {}
    for request in server.invocations:
        name = request.headers["x-amzn-sagemaker-input-object"].rpartition("/")[2]
        found.setdefault(name, []).append(request.body)
    return found


def run(cli, server, source, target, *flags, exit_status=0):
    return cli.transform(server.url, source, target, "--max-payload-in-mb", 1, "--assemble-with",
                         "Line", *flags, exit_status=exit_status)


@pytest.mark.parametrize("strategy, requests", [("MultiRecord", None), ("SingleRecord", RECORDS)])
def test_identical_bodies_in_identical_order_for_all_parts_and_threads(cli, source, tmp_path,
                                                                      strategy, requests):
    seen = []
    for i, flags in enumerate((["--part-bytes", 1 << 30], ["--part-bytes", 300_000],
                               ["--part-bytes", 2_000_000, "--threads", 1],
                               ["--part-bytes", 1, "--threads", 4])):
        with ModelServer() as server:
            run(cli, server, source, tmp_path / f"out{i}", "--batch-strategy", strategy, *flags)
            seen.append((bodies(server), files_in(tmp_path / f"out{i}")))
    assert seen[1:] == seen[:1] * 3
    first, outputs = seen[0]
    assert requests in (None, len(first["a.jsonl"]))
    assert len(first["a.jsonl"]) > 1
    assert b"".join(first["a.jsonl"]) == (source / "a.jsonl").read_bytes()
    assert outputs["a.jsonl.out"] == (source / "a.jsonl").read_bytes()


@pytest.mark.parametrize("concurrent", [2, 8])
def test_the_same_bodies_where_several_are_in_flight(cli, source, tmp_path, concurrent):
    """Their order is then the network's; the output's is not."""
    with ModelServer() as server:
        run(cli, server, source, tmp_path / "one")
        one = bodies(server)
    with ModelServer() as server:
        run(cli, server, source, tmp_path / "out", "--max-concurrent-transforms", concurrent,
            "--part-bytes", 200_000)
        several = bodies(server)
        assert server.in_flight_max <= concurrent
    assert {name: sorted(b) for name, b in several.items()} == \
        {name: sorted(b) for name, b in one.items()}
    assert files_in(tmp_path / "out") == files_in(tmp_path / "one")


def test_a_job_that_was_killed_asks_for_whole_mini_batches_again(cli, source, tmp_path):
    """What its runs asked for together: each body of an undisturbed job, those in flight at a kill
    more than once, and no other."""
    with ModelServer() as server:
        run(cli, server, source, tmp_path / "whole", "--batch-strategy", "SingleRecord")
        whole = bodies(server)
    chance = random.Random(5)
    with ModelServer() as server:
        flags = ["--batch-strategy", "SingleRecord", "--part-bytes", 60_000]
        for _ in range(6):
            process = cli.start("transform", "--model", server.url, "--input", source, "--output",
                                tmp_path / "out", "--max-payload-in-mb", 1, "--assemble-with",
                                "Line", *flags)
            asked = len(server.invocations) + chance.randint(1, 400)
            while len(server.invocations) < asked and process.poll() is None:
                time.sleep(0.002)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        run(cli, server, source, tmp_path / "out", *flags)
        seen = bodies(server)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    for name, expected in whole.items():
        assert set(seen[name]) == set(expected)
        # Each run goes on in the object's order.
        numbers = [json.loads(body)["id"] for body in seen[name]]
        falls = sum(b < a for a, b in zip(numbers, numbers[1:]))
        assert falls <= 6
