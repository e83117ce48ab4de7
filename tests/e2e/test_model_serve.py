"""The native model behind its own HTTP door: the container contract for any client, and the same
bytes as inside the process."""
import csv
import json
import signal
import socket
import urllib.error
import urllib.request

import pytest

from cli import write


@pytest.fixture
def served(cli, tiny_model):
    process = cli.start("model", "serve", "--model", tiny_model, "--port", 0)
    line = process.stderr.readline().decode()
    assert "serving on http://127.0.0.1:" in line, line + process.stderr.read().decode()
    yield line.split()[-1]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def post(url, body, content_type, accept):
    request = urllib.request.Request(url + "/invocations", body.encode(), method="POST",
                                     headers={"Content-Type": content_type, "Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.headers["Content-Type"], reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_any_client_gets_labels(served):
    with urllib.request.urlopen(served + "/ping", timeout=20) as reply:
        assert reply.status == 200 and reply.read() == b""
    status, kind, body = post(served, '{"inputs": "I love it"}', "application/json",
                              "application/json")
    assert (status, kind) == (200, "application/json")
    (answer,) = json.loads(body)
    assert answer["label"] in ("NEGATIVE", "POSITIVE") and 0.5 <= answer["score"] <= 1


def test_a_record_that_cannot_be_read_is_refused_by_number(served):
    status, _, body = post(served, '{"inputs": "fine"}\n{"inputs": 7}\n', "application/jsonlines",
                           "application/jsonlines")
    assert status == 400
    assert body.startswith("record 2: ")


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(served):
    body = b'{"inputs": "I love it"}'
    host, port = served.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                           b"Content-Type: application/json\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n" % len(body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(body)
        reply = b"".join(iter(lambda: connection.recv(4096), b""))
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n") and b'"label"' in reply


REVIEWS = ["good app, works great", 'he said "wow", twice', "worst update ever", "", "ok"] * 40


def jsonl(path):
    return write(path, "".join(json.dumps({"inputs": text}) + "\n" for text in REVIEWS))


def csv_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([text] for text in REVIEWS)
    return path


@pytest.mark.parametrize("make, name, flags", [
    (jsonl, "a.jsonl", ()), (jsonl, "a.jsonl", ("--join-source", "Input")),
    (jsonl, "a.jsonl", ("--batch-strategy", "SingleRecord")),
    (csv_file, "a.csv", ("--join-source", "Input"))])
def test_the_same_bytes_by_http_as_inside(cli, served, tiny_model, tmp_path, make, name, flags):
    make(tmp_path / "in" / name)
    for number, model in enumerate((tiny_model, served)):
        cli.transform(model, tmp_path / "in", tmp_path / f"out{number}", *flags)
    inside, outside = (tmp_path / f"out{n}" / (name + ".out") for n in (0, 1))
    assert inside.read_bytes() == outside.read_bytes()
    assert inside.stat().st_size > 1000


def test_it_is_a_model_command(cli, tiny_model, tmp_path):
    jsonl(tmp_path / "in" / "a.jsonl")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out0")
    cli.run("transform", "--model-command", f"exec {cli.program} model serve --model {tiny_model}",
            "--input", tmp_path / "in", "--output", tmp_path / "out1")
    assert ((tmp_path / "out0" / "a.jsonl.out").read_bytes()
            == (tmp_path / "out1" / "a.jsonl.out").read_bytes())


def test_a_taken_port_says_so(cli, served, tiny_model):
    run = cli.run("model", "serve", "--model", tiny_model, "--port", served.rsplit(":", 1)[1],
                  exit_status=2)
    assert "Address already in use" in run.stderr


def test_a_model_that_is_none_says_so(cli, tmp_path):
    run = cli.run("model", "serve", "--model", tmp_path, "--port", 0, exit_status=2)
    assert str(tmp_path) in run.stderr or "config.json" in run.stderr
