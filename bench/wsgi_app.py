"""An inference.py behind AWS's toolkit as a WSGI application, for a server that is not ours: the
folder MODEL_FOLDER has code/inference.py."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
from millrace_worker import service as services  # noqa: E402

MODEL = pathlib.Path(os.environ["MODEL_FOLDER"])
sys.path.insert(0, str(MODEL / "code"))
SERVICE = services.load(str(MODEL), 0)


def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "GET":  # /ping
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    headers = {"Content-Type": environ.get("CONTENT_TYPE", ""),
               "Accept": environ.get("HTTP_ACCEPT", "")}
    status, content_type, reply = SERVICE.answer(headers, body)
    start_response(f"{status} -", [("Content-Type", content_type),
                                   ("Content-Length", str(len(reply)))])
    return [reply]
