"""A server that speaks the Hugging Face hub's protocol over a folder of repositories: listings of a
revision, HEAD and ranges of files, large ones by a redirect to another address, tokens."""
import hashlib
import http.server
import json
import pathlib
import threading
import urllib.parse

LARGE = 4096  # bytes above which a file lies elsewhere and has a SHA-256


def git_checksum(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubServer:
    def __init__(self, folder, token=None):
        self.folder, self.token = pathlib.Path(folder), token
        self.requests = []      # (method, path, Range, Authorization)
        self.cut_after = None   # bytes of a large file, once
        self.lie = False        # about the checksum of large files
        self.renamed = {}       # former name of a repository -> its name
        self.broken = False     # the listing
        self.commits = {"main": "a" * 40, "v1": "b" * 40}
        handler = type("Handler", (Handler,), {"hub": self})
        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
                         for _ in range(2)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def storage_url(self):
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    def stop(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def send(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        hub, path = self.hub, urllib.parse.unquote(self.path)
        hub.requests.append((self.command, path, self.headers.get("Range"),
                             self.headers.get("Authorization")))
        if path.startswith("/storage/"):
            return self.send_storage(path.removeprefix("/storage/"))
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.send(401)
        for former, name in hub.renamed.items():
            for prefix in ("/api/models/", "/"):
                if path.startswith(f"{prefix}{former}/"):
                    return self.send(307, Location=path.replace(former, name, 1))
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and parts[-2] == "revision":
            return self.send_listing("/".join(parts[2:-2]), parts[-1])
        if "resolve" in parts:
            at = parts.index("resolve")
            return self.send_file("/".join(parts[:at]), parts[at + 1], "/".join(parts[at + 2:]))
        self.send(404)

    def send_listing(self, repository, revision):
        if self.hub.broken:
            return self.send(503)
        folder = self.hub.folder / repository
        commit = self.hub.commits.get(revision, revision)
        if not folder.is_dir() or commit not in self.hub.commits.values():
            return self.send(404)
        files = [{"rfilename": file.relative_to(folder).as_posix()}
                 for file in sorted(folder.rglob("*")) if file.is_file()]
        body = json.dumps({"id": repository, "sha": commit, "siblings": files}).encode()
        self.send(200, body, Content_Type="application/json")

    def send_file(self, repository, commit, name):
        path = self.hub.folder / repository / name
        if not path.is_file() or commit not in self.hub.commits.values():
            return self.send(404)
        content = path.read_bytes()
        if len(content) <= LARGE:
            return self.send(200, content, ETag=f'"{git_checksum(content)}"',
                             X_Repo_Commit=commit)
        checksum = hashlib.sha256(b"lie" if self.hub.lie else content).hexdigest()
        self.send(302, Location=f"{self.hub.storage_url}/storage/{repository}/{name}",
                  X_Linked_ETag=f'"{checksum}"', X_Linked_Size=str(len(content)),
                  X_Repo_Commit=commit)

    def send_storage(self, name):
        content = (self.hub.folder / name).read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body, cut = content[start:], self.hub.cut_after
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if cut is not None:
            self.hub.cut_after = None
            self.wfile.write(body[:cut])
            self.close_connection = True
            return
        self.wfile.write(body)
