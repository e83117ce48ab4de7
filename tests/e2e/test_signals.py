"""Ctrl-C and SIGTERM: exit status 130, nothing partial, no upload left."""
import signal
import time

import pytest

from cli import files_in, json_lines, write


@pytest.fixture(params=["files", "s3"])
def job(request, cli, tiny_model, tmp_path):
    """A job of some seconds: (arguments, its outputs, its unfinished uploads)."""
    objects = {
        "a.jsonl": json_lines({"inputs": "great app"} for _ in range(10)),
        "b.jsonl": json_lines({"inputs": f"great app {i} " + "love it " * 60, "pad": "x" * 500}
                              for i in range(60_000)),
    }
    flags = ["--join-source", "Input", "--threads", "1"]
    if request.param == "files":
        for name, content in objects.items():
            write(tmp_path / "in" / name, content)
        source, target = tmp_path / "in", tmp_path / "out"
        return (["transform", "--model", tiny_model, "--input", source, "--output", target, *flags],
                lambda: files_in(target) if target.exists() else {}, lambda: [])
    server = request.getfixturevalue("s3_server")
    bucket = request.getfixturevalue("bucket")
    cli.extra_environment = server.environment
    for name, content in objects.items():
        server.put(bucket, f"in/{name}", content.encode())
    return (["transform", "--model", tiny_model, "--input", f"s3://{bucket}/in/", "--output",
             f"s3://{bucket}/out/", *flags],
            lambda: server.list(bucket, "out/"), lambda: server.uploads(bucket))


def stop(cli, arguments, number, delay_s):
    process = cli.start(*arguments)
    time.sleep(delay_s)
    assert process.poll() is None, process.communicate()
    sent = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    return process.returncode, time.monotonic() - sent, stdout.decode(), stderr.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_s", [0.3, 1.2])
def test_a_signal_stops_the_job_cleanly(cli, job, number, delay_s):
    arguments, outputs, uploads = job
    exit_status, seconds, stdout, stderr = stop(cli, arguments, number, delay_s)
    assert exit_status == 130, stderr
    assert seconds < 10
    assert set(outputs()) <= {"a.jsonl.out", "out/a.jsonl.out"}, "only whole objects"
    assert uploads() == []
    assert '"Stopped"' in stdout.splitlines()[-1]


def test_a_second_signal_ends_at_once(cli, job):
    arguments, outputs, _ = job
    process = cli.start(*arguments)
    time.sleep(0.8)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - sent < 3
    assert process.returncode == 130
    assert set(outputs()) <= {"a.jsonl.out", "out/a.jsonl.out"}
