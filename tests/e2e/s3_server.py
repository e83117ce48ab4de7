"""A real S3 server (versitygw) for tests: started on a free port of loopback with a folder of its
own, stopped when the test session ends.

The program is MILLRACE_VERSITYGW, else ${XDG_CACHE_HOME:-~/.cache}/millrace-dev/bin/versitygw,
where the test set-up puts it. Its traps: paths must be absolute, the sidecar lies outside the data,
buckets have at least three characters, `a` and `a/b` cannot both be keys, and without --iam-dir a
wrong access key would be told as 404.
"""

import datetime
import hashlib
import hmac
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

ACCESS_KEY = "testkey"
SECRET_KEY = "testsecret"
REGION = "us-east-1"


def versitygw_path() -> pathlib.Path:
    if os.environ.get("MILLRACE_VERSITYGW"):
        return pathlib.Path(os.environ["MILLRACE_VERSITYGW"])
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "millrace-dev" / "bin" / "versitygw"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class S3Server:
    """A running server. Buckets are made by `make_bucket`; objects may be read and written with
    `put`, `get`, `list` and `uploads`, which need no SDK and share no code with the program under
    test."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder.resolve()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("iam", "meta", "data"):
            (self.folder / name).mkdir(parents=True)
        self._log = open(self.folder / "log", "wb")
        self._process = subprocess.Popen(
            [str(versitygw_path()), "--port", f"127.0.0.1:{self.port}", "--quiet",
             "--iam-dir", str(self.folder / "iam"), "posix",
             "--sidecar", str(self.folder / "meta"), str(self.folder / "data")],
            env={**os.environ, "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
            stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self):
        for _ in range(200):
            if self._process.poll() is not None:
                break
            try:
                self.request("GET", "/")
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError("versitygw does not answer: " + (self.folder / "log").read_text())

    def stop(self):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def environment(self) -> dict:
        """What a client's process environment needs."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        self.request("PUT", f"/{name}")
        return name

    def put(self, bucket: str, key: str, content: bytes):
        self.request("PUT", f"/{bucket}/{urllib.parse.quote(key)}", body=content)

    def get(self, bucket: str, key: str) -> bytes:
        return self.request("GET", f"/{bucket}/{urllib.parse.quote(key)}")

    def list(self, bucket: str, prefix: str = "") -> dict:
        """Key -> size."""
        found, token = {}, ""
        while True:
            query = {"list-type": "2", "prefix": prefix}
            if token:
                query["continuation-token"] = token
            root = self._xml(f"/{bucket}", query)
            for entry in root.findall("{*}Contents"):
                found[entry.findtext("{*}Key")] = int(entry.findtext("{*}Size"))
            token = root.findtext("{*}NextContinuationToken") or ""
            if not token:
                return found

    def uploads(self, bucket: str) -> list:
        """(key, upload id) of every multipart upload that was neither completed nor aborted."""
        root = self._xml(f"/{bucket}", {"uploads": ""})
        return [(entry.findtext("{*}Key"), entry.findtext("{*}UploadId"))
                for entry in root.findall("{*}Upload")]

    def _xml(self, path: str, query: dict):
        return xml.etree.ElementTree.fromstring(self.request("GET", path, query))

    def request(self, method: str, path: str, query: dict = {}, body: bytes = b"") -> bytes:
        """One signed request; an HTTP status of 400 and above is an urllib.error.HTTPError."""
        pairs = sorted((urllib.parse.quote(k, safe=""), urllib.parse.quote(v, safe=""))
                       for k, v in query.items())
        query_text = "&".join(f"{k}={v}" for k, v in pairs)
        moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": digest,
                   "x-amz-date": moment}
        names = ";".join(sorted(headers))
        canonical = "\n".join(
            [method, path, query_text, *(f"{n}:{headers[n]}" for n in sorted(headers)), "", names,
             digest])
        scope = f"{moment[:8]}/{REGION}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", moment, scope,
                             hashlib.sha256(canonical.encode()).hexdigest()])
        key = ("AWS4" + SECRET_KEY).encode()
        for step in scope.split("/"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, "
                                    f"SignedHeaders={names}, Signature={signature}")
        url = self.url + path + ("?" + query_text if query_text else "")
        request = urllib.request.Request(url, data=body if method in ("PUT", "POST") else None,
                                         headers=headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as reply:
            return reply.read()
