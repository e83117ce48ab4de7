"""A proxy in front of the real S3 server that breaks what a test tells it to break: it knows where
an HTTP request begins and ends, so that faults hit chosen requests, and nothing else of S3.

Faults: "latency" (0.2 s more), "reset" (the connection is reset before the request reaches the
server), "lost_reply" (it is reset after the server has done what was asked), "half_reply" (the
reply breaks off in its middle), "500", "503" (SlowDown), "429", "expired" (400 ExpiredToken), and
"200_error" (200 with an <Error> in its body, as S3 may answer CompleteMultipartUpload)."""
import http.client
import socket
import socketserver
import struct
import threading
import time

LATENCY_S = 0.2
_ERRORS = {"500": (500, "InternalError"), "503": (503, "SlowDown"), "429": (429, "TooManyRequests"),
           "expired": (400, "ExpiredToken"), "200_error": (200, "InternalError")}


class FaultProxy:
    """`choose(number, method, target)` names the fault of a request, or None; `number` counts
    requests from 0. The faults that happened are in `happened`."""

    def __init__(self, port, choose):
        self.upstream_port = port
        self.choose = choose
        self.happened = []
        self.requests = 0
        self._lock = threading.Lock()
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while proxy.serve_one(self):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def serve_one(self, client):
        """Whether the connection is good for another request."""
        try:
            request_line = client.rfile.readline()
            if not request_line:
                return False
            method, target, _ = request_line.decode().split(" ", 2)
            headers = http.client.parse_headers(client.rfile)
            if "100-continue" in headers.get("Expect", ""):
                client.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = client.rfile.read(int(headers.get("Content-Length", 0)))
            return self.answer(client, method, target, headers, body)
        except (ConnectionError, BrokenPipeError):
            return False

    def answer(self, client, method, target, headers, body):
        with self._lock:
            fault = self.choose(self.requests, method, target)
            self.requests += 1
            if fault:
                self.happened.append((fault, method, target))
        if fault == "reset":
            return self.reset(client)
        if fault in _ERRORS:
            return self.send_error(client, method, *_ERRORS[fault])
        if fault == "latency":
            time.sleep(LATENCY_S)
        reply = self.ask(method, target, headers, body)
        if fault == "lost_reply":
            return self.reset(client)
        client.wfile.write(reply[:len(reply) // 2] if fault == "half_reply" else reply)
        return fault != "half_reply"

    def ask(self, method, target, headers, body):
        """The server's reply, as bytes on the wire."""
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=60)
        upstream.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("expect", "connection"):
                upstream.putheader(name, value)
        upstream.endheaders(body)
        reply = upstream.getresponse()
        content = reply.read()
        upstream.close()
        lines = [f"HTTP/1.1 {reply.status} {reply.reason}"]
        lines += [f"{name}: {value}" for name, value in reply.getheaders()
                  if name.lower() not in ("transfer-encoding", "connection", "content-length")]
        size = len(content)
        if method == "HEAD":
            size = reply.getheader("Content-Length", "0")
        if reply.status != 204:
            lines.append(f"Content-Length: {size}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content

    @staticmethod
    def send_error(client, method, status, code):
        content = (f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>"
                   f"<Message>injected</Message><RequestId>R1</RequestId></Error>").encode()
        head = (f"HTTP/1.1 {status} Injected\r\nContent-Type: application/xml\r\n"
                f"Content-Length: {len(content)}\r\n\r\n").encode()
        client.wfile.write(head + (b"" if method == "HEAD" else content))
        return True

    @staticmethod
    def reset(client):
        client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.connection.close()
        return False
