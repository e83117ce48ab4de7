"""MaxPayloadInMB 0 to a model server: one request without end, never whole in memory, whatever the
size of the object and of the reply."""
import gzip
import json
import os
import socket
import threading

import pytest

from cli import files_in, json_lines, write
from model_server import ModelServer, Reply
from test_memory import peak_of

LONG = os.environ.get("MILLRACE_LONG_TESTS") == "1"
MIB = 1 << 20
STREAM = ["--max-payload-in-mb", 0]


class EchoingServer:
    """Answers in chunks while the body still comes: it holds no more than a block."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.bytes = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb", MIB) as file:
            while line := file.readline():
                headers = {}
                while (header := file.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                if b"/invocations" not in line:
                    status = b"200 OK" if b"/ping" in line else b"404 Not Found"
                    connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                    continue
                assert headers["transfer-encoding"] == "chunked"
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while size := int(file.readline(), 16):
                    data = file.read(size)
                    file.readline()
                    self.bytes += size
                    connection.sendall(b"%x\r\n" % size + data + b"\r\n")
                file.readline()
                connection.sendall(b"0\r\n\r\n")


@pytest.mark.parametrize("split", ["None", "Line"])
def test_a_large_object_goes_through_in_bounded_memory(cli, tmp_path, split):
    """Short: 300 MiB; long: 5 GB. The reply is as large."""
    size = (5000 if LONG else 300) * MIB
    line = b"x" * 999 + b"\n"
    source = tmp_path / "in.bin"
    with open(source, "wb") as file:
        for _ in range(size // MIB):
            file.write(line * 1048)
            file.write(b"y" * (MIB - 1048 * 1000 - 1) + b"\n")
    with EchoingServer() as server:
        peak, _ = peak_of(cli, tmp_path, "--model", server.url, "--input", source, "--output",
                          tmp_path / "out", "--split-type", split, "--assemble-with", "None",
                          "--content-type", "application/x-bytes", *STREAM)
    assert server.bytes == size
    assert peak < 120, "no more than blocks on their way"
    target = tmp_path / "out/in.bin.out"
    assert target.stat().st_size == size
    with open(target, "rb") as file:
        file.seek(size // 2 // MIB * MIB)
        assert file.read(2000) == line * 2


def test_a_stream_is_what_the_records_are(cli, tmp_path):
    """Unpacked, and without what is no record."""
    lines = json_lines({"id": i} for i in range(5000)).encode()
    write(tmp_path / "in/a.jsonl", lines.rstrip(b"\n"))
    write(tmp_path / "in/b.jsonl", b"\n")
    (tmp_path / "gz").mkdir()
    (tmp_path / "gz/a.jsonl.gz").write_bytes(gzip.compress(lines))
    with ModelServer() as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *STREAM)
        cli.transform(server.url, tmp_path / "gz", tmp_path / "out", *STREAM)
        bodies = [request.body for request in server.invocations]
        assert all(r.headers["transfer-encoding"] == "chunked" for r in server.invocations)
    assert lines.rstrip(b"\n") in bodies and lines in bodies
    assert run.summary["records"] >= 5000
    outputs = files_in(tmp_path / "out")
    assert outputs["a.jsonl.out"] == outputs["a.jsonl.gz.out"] == lines


def test_an_empty_reply_is_an_empty_line_and_no_record_no_request(cli, tmp_path):
    write(tmp_path / "in/a.txt", "one\ntwo\n")
    with ModelServer(lambda _: (204, b"")) as server:
        cli.transform(server.url, tmp_path / "in", tmp_path / "out", *STREAM)
        assert len(server.invocations) == 1
    assert files_in(tmp_path / "out") == {"a.txt.out": b"\n"}


def test_a_stream_that_is_not_answered_begins_again(cli, tmp_path):
    source = write(tmp_path / "a.txt", "one line\n" * 1000)
    attempts = []

    def answer(request):
        attempts.append(request.body)
        return (503, b"busy") if len(attempts) < 3 else request.body

    with ModelServer(answer) as server:
        run = cli.transform(server.url, source, tmp_path / "out", *STREAM)
    assert attempts == [source.read_bytes()] * 3
    assert run.summary["records"] == 1000
    assert (tmp_path / "out/a.txt.out").read_bytes() == source.read_bytes()


def test_a_reply_that_is_cut_short_leaves_nothing(cli, tmp_path):
    write(tmp_path / "in/a.txt", "one line\n" * 1000)
    write(tmp_path / "in/b.txt", "fine\n")

    def answer(request):
        return Reply(body=request.body, cut_at=500) if b"one" in request.body else request.body

    with ModelServer(answer) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", *STREAM, exit_status=1)
    assert "500 bytes" in run.stderr
    assert files_in(tmp_path / "out") == {"b.txt.out": b"fine\n"}


def test_a_refusal_fails_the_object_at_once(cli, tmp_path):
    source = write(tmp_path / "a.txt", "one\n")
    with ModelServer(lambda _: (400, b"no such column")) as server:
        run = cli.transform(server.url, source, tmp_path / "out", *STREAM, exit_status=1)
        assert len(server.invocations) == 1
    assert "ClientError: 400: no such column" in run.stderr


def test_what_is_looked_at_record_by_record_is_no_stream_and_says_the_same(cli, tmp_path):
    """A join needs the replies apart: the same request, held whole."""
    source = write(tmp_path / "a.jsonl", json_lines({"id": i} for i in range(50)))
    with ModelServer() as server:
        cli.transform(server.url, source, tmp_path / "out", *STREAM, "--join-source", "Input")
        [request] = server.invocations
    assert request.body == source.read_bytes()
    joined = [json.loads(line) for line in files_in(tmp_path / "out")["a.jsonl.out"].splitlines()]
    assert joined[7] == {"SageMakerOutput": {"id": 7}, "id": 7}
