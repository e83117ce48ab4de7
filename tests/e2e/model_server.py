"""A model server that answers the container contract and writes down what it was asked: every
request's headers and body, and how many were in flight.

In a test: `with ModelServer(answer) as server`, where `answer` maps a Request to (status, body),
a Reply, or bytes. As a program, for `--model-command`: see main().
"""
import dataclasses
import http.server
import os
import signal
import socket
import sys
import threading
import time


@dataclasses.dataclass
class Request:
    path: str
    headers: dict  # names in lower case
    body: bytes
    connection: int  # the client's port


@dataclasses.dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    length: bool = True  # False: neither Content-Length nor chunks, the connection's end is the end
    cut_at: int = -1     # >= 0: the connection ends after so many bytes of the body
    raw: bytes = b""     # sent instead of everything


def echo(request):
    return request.body


class ModelServer:
    def __init__(self, answer=echo, ping=lambda: 200, parameters=None, port=0, host="127.0.0.1"):
        self.answer, self.ping, self.parameters = answer, ping, parameters
        self.requests = []
        self.in_flight = self.in_flight_max = 0
        self.lock = threading.Lock()
        owner = self

        class Handler(_Handler):
            server_owner = owner

        self.server = _Server((host, port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def invocations(self):
        return [request for request in self.requests if request.path == "/invocations"]

    def reply_to(self, request):
        with self.lock:
            self.requests.append(request)
            self.in_flight += request.path == "/invocations"
            self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            if request.path == "/ping":
                return Reply(self.ping())
            if request.path == "/execution-parameters":
                return Reply(404) if self.parameters is None else Reply(body=self.parameters)
            answer = self.answer(request)
        finally:
            with self.lock:
                self.in_flight -= request.path == "/invocations"
        if isinstance(answer, tuple):
            return Reply(*answer)
        return answer if isinstance(answer, Reply) else Reply(body=answer)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # clients that go away are no news


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.handle_request()

    def do_POST(self):
        self.handle_request()

    def handle_request(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.path, headers, self.read_body(headers), self.client_address[1])
        self.send_reply(self.server_owner.reply_to(request))

    def read_body(self, headers):
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send_reply(self, reply):
        if reply.raw:
            self.wfile.write(reply.raw)
            self.close_connection = True
            return
        self.send_response(reply.status)
        if reply.body:
            self.send_header("Content-Type", reply.content_type)
        if reply.length and reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body if reply.cut_at < 0 else reply.body[:reply.cut_at])
        self.close_connection |= reply.cut_at >= 0 or not reply.length

    def log_message(self, *_):
        pass


def main():
    """serve: echoes on SAGEMAKER_BIND_TO_PORT until SIGTERM, after having printed its environment.

    The first argument says how else it behaves: `silent` never answers /ping, `exits` ends with
    status 3, `dies` ends at the first invocation, `stubborn` ignores SIGTERM.
    """
    behaviour = next((a for a in sys.argv[1:] if a != "serve"), "")
    for name in sorted(os.environ):
        print(f"env {name}={os.environ[name]}", flush=True)
    print("model loading", file=sys.stderr, flush=True)
    if behaviour == "exits":
        print("Traceback: no such weights", file=sys.stderr, flush=True)
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def answer(request):
        if behaviour == "dies":
            print("killed by a bad record", file=sys.stderr, flush=True)
            os._exit(9)
        return request.body

    ping = (lambda: 503) if behaviour == "silent" else (lambda: 200)
    with ModelServer(answer, ping, port=int(os.environ["SAGEMAKER_BIND_TO_PORT"]),
                     host=os.environ.get("MODEL_SERVER_HOST", "127.0.0.1")):
        while True:
            time.sleep(60)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
