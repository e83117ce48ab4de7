"""An S3 server that lists whatever keys a test wants, as no real one on a file system can: it knows
ListObjectsV2 and GET with ranges, and checks no signature."""
import http.server
import threading
import urllib.parse
from xml.sax.saxutils import escape


class FakeS3:
    """`objects`: key -> bytes, in one bucket named `bucket`."""

    def __init__(self, objects):
        self.objects = {key: objects[key] for key in sorted(objects)}
        self.refused = set()  # keys that answer 403
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                fake.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": self.url}

    def answer(self, request):
        path, _, query = request.path.partition("?")
        key = urllib.parse.unquote(path).removeprefix("/bucket").removeprefix("/")
        if not key:
            prefix = urllib.parse.parse_qs(query).get("prefix", [""])[0]
            return self.send(request, 200, self.listing(prefix), {"Content-Type": "text/xml"})
        if key in self.refused:
            return self.send(request, 403, b"<Error><Code>AccessDenied</Code>"
                                           b"<Message>no</Message></Error>")
        if key not in self.objects:
            return self.send(request, 404, b"<Error><Code>NoSuchKey</Code></Error>")
        content = self.objects[key]
        headers = {"ETag": f'"{len(content)}"'}
        if "Range" not in request.headers:
            return self.send(request, 200, content, headers)
        first, last = request.headers["Range"].removeprefix("bytes=").split("-")
        last = min(int(last), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.send(request, 206, content[int(first):last + 1], headers)

    def listing(self, prefix):
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size>"
            f"<ETag>&quot;{len(content)}&quot;</ETag></Contents>"
            for key, content in self.objects.items() if key.startswith(prefix))
        return (f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}"
                "</ListBucketResult>").encode()

    @staticmethod
    def send(request, status, body, headers=None):
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)
