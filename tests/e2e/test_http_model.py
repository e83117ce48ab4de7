"""A model behind http://: what it is asked and in which order, and what the user is told when it
fails."""
import base64
import json
import threading
import time

import pytest

from cli import write
from model_server import ModelServer, Reply, free_port

SPLIT = ("--content-type", "text/plain", "--split-type", "Line", "--assemble-with", "None")
SINGLE = ("--batch-strategy", "SingleRecord")


def lines(count):
    # Lengths differ, so that mini-batches and parts end where nobody would guess.
    return "".join(f"{i} {'x' * (i * 7919 % 97)}\n" for i in range(count))


def test_the_model_is_pinged_then_asked_for_parameters_then_invoked(cli, tmp_path):
    source = write(tmp_path / "in" / "a.txt", "one\ntwo\n")
    with ModelServer() as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out")
    assert [r.path for r in server.requests] == ["/ping", "/execution-parameters", "/invocations"]
    seen = server.requests[-1]
    assert seen.body == b"one\ntwo\n"
    name = str(source)
    assert seen.headers["content-type"] == "text/plain"
    assert seen.headers["accept"] == "text/csv"
    assert seen.headers["x-amzn-sagemaker-input-object"] == name
    assert base64.b64decode(seen.headers["x-amzn-sagemaker-input-object-base64"]).decode() == name
    assert run.summary["model"] == server.url
    assert "model_digest" not in run.summary


def test_an_echo_gives_back_the_input(cli, tmp_path):
    content = lines(2000)
    write(tmp_path / "in" / "a.txt", content)
    for number, strategy in enumerate(("SingleRecord", "MultiRecord")):
        with ModelServer() as server:
            cli.transform(server.url, tmp_path / "in", tmp_path / f"out{number}", *SPLIT,
                          "--batch-strategy", strategy, "--max-concurrent-transforms", 8)
        assert (tmp_path / f"out{number}" / "a.txt.out").read_text() == content
        assert server.in_flight_max <= 8
        assert len({r.connection for r in server.invocations}) <= 8


def test_the_requests_are_the_same_whatever_the_parts_and_threads(cli, tmp_path):
    content = lines(900)
    write(tmp_path / "in" / "a.txt", content)
    write(tmp_path / "in" / "b.txt", content[5000:20000])
    bodies = []
    for number, (part_bytes, threads) in enumerate([(10**9, 1), (10**9, 4), (4096, 1), (4096, 4),
                                                    (777, 3), (50000, 2)]):
        with ModelServer() as server:
            cli.transform(server.url, tmp_path / "in", tmp_path / f"out{number}", *SPLIT, *SINGLE,
                          "--part-bytes", part_bytes, "--threads", threads)
        assert server.in_flight_max == 1
        by_object = {}
        for request in server.invocations:
            name = request.headers["x-amzn-sagemaker-input-object"]
            by_object.setdefault(name, []).append(request.body)
        bodies.append(by_object)
        assert (tmp_path / f"out{number}" / "a.txt.out").read_text() == content
    assert b"".join(bodies[0][str(tmp_path / "in" / "a.txt")]).decode() == content
    assert all(later == bodies[0] for later in bodies[1:])


def test_as_many_requests_are_in_flight_as_the_job_allows(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", lines(64))
    together = threading.Barrier(4)

    def answer(request):
        together.wait(timeout=20)  # nobody is answered before four are here
        return request.body

    with ModelServer(answer) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT, *SINGLE,
                      "--max-concurrent-transforms", 4)
    assert server.in_flight_max == 4


def test_the_models_parameters_hold_where_the_job_says_nothing(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", lines(50))
    parameters = json.dumps({"MaxConcurrentTransforms": 3, "BatchStrategy": "SINGLE_RECORD",
                             "MaxPayloadInMB": 1}).encode()
    with ModelServer(parameters=parameters) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT)
    assert len(server.invocations) == 50
    with ModelServer(parameters=parameters) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out2", *SPLIT, "--batch-strategy",
                      "MultiRecord")
    assert len(server.invocations) == 1


def test_parameters_that_make_no_sense_are_ignored_with_a_notice(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", lines(3))
    with ModelServer(parameters=b'{"MaxPayloadInMB": -1}') as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT)
    assert "MaxPayloadInMB: not a whole number from 1 to 100; ignored" in run.stderr


def test_an_unlimited_payload_goes_in_chunks(cli, tmp_path):
    content = lines(20000)
    write(tmp_path / "in" / "a.txt", content)
    with ModelServer() as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", "--content-type", "text/plain",
                      "--split-type", "None", "--assemble-with", "None", "--max-payload-in-mb", 0)
    (request,) = server.invocations
    assert request.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in request.headers
    assert request.body.decode() == content


def test_a_model_that_starts_late_is_waited_for(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", "one\n")
    port = free_port()
    process = cli.start("transform", "--model", f"http://127.0.0.1:{port}", "--input",
                        tmp_path / "in", "--output", tmp_path / "out")
    time.sleep(0.4)
    with ModelServer(port=port):
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert (tmp_path / "out" / "a.txt.out").read_bytes() == b"one\n"


def test_a_model_that_never_answers_ping_ends_the_job_before_it_starts(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", "one\n")
    with ModelServer(ping=lambda: 503) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out",
                            "--ping-timeout-in-seconds", 2, exit_status=2)
    assert "failed to respond to /ping with HTTP 200 within 2 s" in run.stderr
    assert "it answered 503" in run.stderr
    assert not (tmp_path / "out").exists()


FAILURES = {
    "400": ((400, b"Extra data: line 2"), "ClientError: 400: Extra data: line 2"),
    "500": ((500, b"Traceback:\nValueError: boom"),
            "Bad HTTP status received from algorithm: 500: Traceback:\nValueError: boom "
            "(after 2 attempts)"),
    "cut short": (Reply(body=b"x" * 100, cut_at=10), "lost after 10 bytes of the reply"),
    "not http": (Reply(raw=b"hello, I am no web server\n"), "the answer is not HTTP"),
    "hung up": (Reply(raw=b"\n"), "Unable to get response from algorithm"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_names_object_and_records(cli, tmp_path, name):
    reply, message = FAILURES[name]
    write(tmp_path / "in" / "bad.txt", "fine\n" * 10 + "bad\n" + "fine\n" * 5)
    write(tmp_path / "in" / "good.txt", "fine\n")
    with ModelServer(lambda r: reply if b"bad" in r.body else r.body) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT, *SINGLE,
                            "--invocations-max-retries", 1, exit_status=1)
    assert f"{tmp_path / 'in' / 'bad.txt'}: record 11 (byte 50): " in run.stderr
    assert message in run.stderr
    assert run.summary["failed_objects"] == 1
    assert not (tmp_path / "out" / "bad.txt.out").exists()
    assert (tmp_path / "out" / "good.txt.out").read_bytes() == b"fine\n"
    bad = [r for r in server.invocations if b"bad" in r.body]
    assert len(bad) == (1 if name == "400" else 2)
    assert all(r.body == bad[0].body for r in bad)


def test_a_failed_mini_batch_names_its_range_of_records(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", lines(10))
    with ModelServer(lambda _: (413, b"too large")) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT, exit_status=1)
    assert "records 1 to 10 (from byte 0): ClientError: 413: too large" in run.stderr


def test_replies_without_a_length_and_empty_ones_are_taken(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", "one\ntwo\nthree\n")

    def answer(request):
        return (204, b"") if b"two" in request.body else Reply(body=request.body, length=False)

    with ModelServer(answer) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT, *SINGLE)
    assert (tmp_path / "out" / "a.txt.out").read_bytes() == b"one\nthree\n"


def test_a_model_that_is_too_slow_times_out(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", "one\n")
    with ModelServer(lambda r: time.sleep(3) or r.body) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *SPLIT,
                            "--invocations-timeout-in-seconds", 1, "--invocations-max-retries", 0,
                            exit_status=1)
    assert "record 1 (byte 0): Unable to get response from algorithm" in run.stderr
    assert "timed out" in run.stderr


def test_a_join_with_replies_of_the_model(cli, tmp_path):
    write(tmp_path / "in" / "a.csv", "1,a\n2,b\n3,c\n")

    def answer(request):
        return b"".join(b"got %d\n" % len(line) for line in request.body.splitlines())

    with ModelServer(answer) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", "--content-type", "text/csv",
                      "--accept", "text/csv", "--join-source", "Input")
    assert (tmp_path / "out" / "a.csv.out").read_text() == "1,a,got 3\n2,b,got 3\n3,c,got 3\n"


@pytest.mark.parametrize("flags", [("--result-cache", "cache"), ("--precision", "int8"),
                                   ("--text-column", "text"), ("--output-shape", "columns"),
                                   ("--clean", "urls", "--thresholds", '{"A":0.5}')])
def test_flags_of_the_native_model_are_refused_by_name(cli, tmp_path, flags):
    write(tmp_path / "in" / "a.txt", "one\ntwo\n")
    with ModelServer() as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *flags, exit_status=2)
        assert not server.requests
    assert all(flag in run.stderr for flag in flags if flag.startswith("--"))
    assert "for the native model only" in run.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "cache").exists()


def test_variables_of_the_native_model_are_told_and_go_on(cli, tmp_path):
    write(tmp_path / "in" / "a.txt", "one\ntwo\n")
    with ModelServer() as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", "--env",
                            "MILLRACE_TEXT_COLUMN=text", env={"MILLRACE_PRECISION": "int8"})
    assert "MILLRACE_PRECISION, MILLRACE_TEXT_COLUMN: for the native model only" in run.stderr
