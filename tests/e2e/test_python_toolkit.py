"""The worker beside AWS's toolkit run by itself: over content types, accepts, signatures and
failures the same statuses, types and bodies."""
import io
import itertools
import json
import pathlib
import re
import socket
import struct
import subprocess

import numpy as np
import pytest

from python_models import ECHO, Reference, interpreter, make_model

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = struct.Struct("<4sIQ")

DOUBLE = """
    def model_fn(model_dir{context}):
        return 2

    def predict_fn(data, model{context}):
        return data * model
"""
RAISES = """
    def model_fn(model_dir):
        return None

    def input_fn(data, content_type):
        if "input" in content_type:
            raise ValueError("bad input\\r\\nin two lines")
        return content_type

    def predict_fn(data, model):
        if "predict" in data:
            {}["missing"]
        return data

    def output_fn(prediction, accept):
        if "output" in prediction:
            raise RuntimeError("")
        if "number" in prediction:
            return 7
        if "list" in prediction:
            return {"a": [1, 2.5, None]}
        return prediction
"""
TOOLKIT_ERROR = """
    from sagemaker_inference.errors import BaseInferenceToolkitError

    def model_fn(model_dir):
        return None

    def transform_fn(model, data, content_type, accept):
        raise BaseInferenceToolkitError(418, "a teapot", "short and stout")
"""
STATUS = """
    def model_fn(model_dir, context):
        return None

    def transform_fn(model, data, content_type, accept, context):
        if context.get_request_header(0, "Accept") == "application/x-busy":
            context.set_response_status(code=429, phrase="busy", idx=0)
        return data, "text/x-own"
"""
WRONG = """
    def model_fn(model_dir):
        return None

    def predict_fn(data):
        return data
"""
TRANSFORM = """
    def model_fn(model_dir{context}):
        return "m"

    def transform_fn(model, data, content_type, accept{context}):
        return "%s|%s|%s|%s" % (model, type(data).__name__, content_type, accept)
"""
SCRIPTS = {
    "defaults": DOUBLE.format(context=""),
    "defaults_with_context": DOUBLE.format(context=", context"),
    "transform": TRANSFORM.format(context=""),
    "transform_with_context": TRANSFORM.format(context=", context"),
    "echo": ECHO, "raises": RAISES, "toolkit_error": TOOLKIT_ERROR, "status": STATUS,
    "wrong_signature": WRONG,
}
# Cannot be loaded; the reference says why.
UNLOADABLE = {
    "both": TRANSFORM.format(context="") + "\n    def predict_fn(data, model):\n        pass\n",
    "no_model_fn": "    def predict_fn(data, model):\n        return data\n",
    "model_fn_signature": "    def model_fn():\n        pass\n",
    "raises": "    def model_fn(model_dir):\n        raise OSError('no weights')\n",
}


def npy():
    out = io.BytesIO()
    np.save(out, np.array([[1.5, 2.5]]))
    return out.getvalue().decode("latin-1")


BODIES = [("application/json", "[[1, 2], [3, 4]]"), ("application/json", "{broken"),
          ("text/csv", "1,2\n3,4\n"), ("text/csv", "1,2"), ("application/x-npy", npy()),
          ("text/csv; charset=utf-8", "1,2"), ("application/jsonlines", '{"a":1}'),
          ("image/png", "\x89PNG"), ("text/csv", "\xff\xfe"), ("", "1"),
          ("x/input", "1"), ("x/predict", "1"), ("x/output", "1"), ("x/number", "1"),
          ("x/list", "1")]
ACCEPTS = [None, "*/*", "application/json", "text/csv", "application/x-npy", "image/png, text/csv",
           "text/csv;q=0.5", "application/x-busy"]
# Some cells in all for each script: each content type, and each accept.
CELLS = [(kind, body, accept) for (kind, body), accept in itertools.chain(
    zip(BODIES, itertools.cycle(["application/json", "text/csv"])),
    ((BODIES[0], accept) for accept in ACCEPTS), ((BODIES[2], accept) for accept in ACCEPTS))]


@pytest.fixture(scope="session")
def python(millrace, tmp_path_factory):
    """The interpreter that the program makes for models that name none."""
    return interpreter(millrace, tmp_path_factory.mktemp("which"))


class Worker:
    """Speaks to python/millrace_worker as the program does."""

    def __init__(self, python, model, temp):
        ours, theirs = socket.socketpair()
        temp.mkdir()
        command = f'exec 3<&{theirs.fileno()}; exec "$0" "$@"'
        self.process = subprocess.Popen(
            ["bash", "-c", command, python, "-u", ROOT / "python/millrace_worker", "--model", model,
             "--code", model / "code"], pass_fds=[theirs.fileno()], env={"TMPDIR": str(temp)},
            stderr=subprocess.DEVNULL)
        theirs.close()
        self.socket = ours
        self.file = ours.makefile("rb")
        self.first = self.frame()

    def frame(self):
        kind, fields, body = HEADER.unpack(self.file.read(HEADER.size))
        return kind, self.file.read(fields).decode().split("\0"), self.file.read(body)

    def ask(self, headers, body):
        fields = "".join(f"{k}\0{v}\0" for k, v in headers.items()).encode()
        self.socket.sendall(HEADER.pack(b"MRQ1", len(fields), len(body)) + fields + body)
        kind, (status, content_type, _), reply = self.frame()
        assert kind == b"MRP1"
        return {"status": int(status), "type": content_type, "body": reply.decode("latin-1")}

    def close(self):
        self.file.close()
        self.socket.close()
        assert self.process.wait(20) in (0, 1)


def without_places(reply):
    """A traceback names files, and lines of the caller."""
    text = re.sub(r'\n  File "[^\n]*', "", reply["body"])
    return reply | {"body": re.sub(r"\n    [^\n]*", "", text)}


@pytest.mark.parametrize("name", SCRIPTS)
def test_replies_are_those_of_awss_toolkit(python, tmp_path, name):
    model = make_model(tmp_path / "ml" / "model", SCRIPTS[name])
    worker, reference = Worker(python, model, tmp_path / "t"), Reference(python, model)
    assert worker.first[0] == b"MRR1", worker.first
    statuses = set()
    for kind, body, accept in CELLS:
        headers = {"Content-Type": kind} if kind else {}
        headers |= {"Accept": accept} if accept else {}
        ours = worker.ask(headers, body.encode("latin-1"))
        theirs = reference.ask(headers, body.encode("latin-1"))
        assert without_places(ours) == without_places(theirs), (name, kind, accept)
        statuses.add(ours["status"])
    worker.close()
    reference.close()
    if name == "status":
        assert 429 in statuses
    if name == "toolkit_error":
        assert 418 in statuses


@pytest.mark.parametrize("name", UNLOADABLE)
def test_what_the_toolkit_does_not_load_is_not_loaded_for_the_same_reason(python, tmp_path, name):
    model = make_model(tmp_path / "ml" / "model", UNLOADABLE[name])
    worker, reference = Worker(python, model, tmp_path / "t"), Reference(python, model)
    kind, _, message = worker.first
    assert kind == b"MRF1"
    assert reference.read()["failure"] in message.decode()
    worker.close()
    reference.close()


def test_a_reply_that_is_neither_text_nor_json_is_refused_as_by_awss_server(python, tmp_path):
    model = make_model(tmp_path / "ml" / "model", ECHO.replace("prediction, accept\n", "{1, 2}\n"))
    worker = Worker(python, model, tmp_path / "t")
    reply = worker.ask({"Content-Type": "x/y"}, b"1")
    assert reply["status"] == 503 and "of type set" in reply["body"]
    worker.close()


# What no server could send, and what it must be told as: never as a result, and the worker lives.
UNSENDABLE = {
    "'\\ud800'": (500, "can't encode character"),
    "('a', b'text/x')": (500, "content type is b'text/x'"),
    "('a', 5)": (500, "content type is 5"),
    r"('a', 'text/x\r\nX-Own: 1')": (500, "content type is 'text/x"),
    r"('a', '\ud800')": (500, "content type is"),
    "nested(100000)": (503, "of type list"),
    "fail(0)": (500, "0 is no status"),
    "fail(None)": (500, "None is no status"),
    "fail('four')": (500, "'four' is no status"),
    "fail('418')": (418, "a teapot"),
    r"throw(ValueError('\ud800 alone'))": (500, r"\ud800 alone"),
    "throw(WithoutText())": (500, "RuntimeError: no text"),
    "throw(asyncio.CancelledError())": (500, "CancelledError"),
}


@pytest.mark.parametrize("expression", UNSENDABLE)
def test_a_reply_that_cannot_be_sent_is_an_error_and_costs_no_worker(python, tmp_path, expression):
    model = make_model(tmp_path / "ml" / "model", f"""
        import asyncio
        from sagemaker_inference.errors import BaseInferenceToolkitError

        class WithoutText(Exception):
            def __str__(self):
                raise RuntimeError("no text")

        def nested(depth):
            value = []
            for _ in range(depth):
                value = [value]
            return value

        def fail(status):
            raise BaseInferenceToolkitError(status, "a teapot", "short")

        def throw(error):
            raise error

        def model_fn(model_dir):
            return None

        def transform_fn(model, data, content_type, accept):
            return data if data == b"fine" else {expression}
    """)
    worker = Worker(python, model, tmp_path / "t")
    status, message = UNSENDABLE[expression]
    reply = worker.ask({"Content-Type": "x/y"}, b"1")
    assert reply["status"] == status and message in reply["body"], reply
    assert worker.ask({"Content-Type": "x/y"}, b"fine")["body"] == "fine"
    worker.close()


HUGGING_FACE = """
    import transformers  # what tells that the code is for Hugging Face's images

    class Tensor:
        def tolist(self):
            return [[1.5, 2.0]]

    def model_fn(model_dir):
        return lambda inputs, top_k=1: [{"label": str(x).upper(), "top": top_k} for x in inputs]
"""
OWN_PREDICTION = """
    def predict_fn(data, model):
        return {"of": data.pop("inputs", data), "vectors": Tensor()}
"""


@pytest.fixture
def hugging_face(python, tmp_path):
    """Starts a worker of such code, with a Transformers that does nothing."""
    def start(code):
        model = make_model(tmp_path / "ml" / "model", code, files=[("code/transformers.py", "")])
        return Worker(python, model, tmp_path / "t")
    return start


def test_code_for_hugging_faces_images_gets_and_gives_plain_values(hugging_face):
    worker = hugging_face(HUGGING_FACE + OWN_PREDICTION)
    reply = worker.ask({"Content-Type": "application/json"}, '{"inputs": ["é", 1]}'.encode())
    assert reply == {"status": 200, "type": "application/json",
                     "body": '{"of":["é",1],"vectors":[[1.5,2.0]]}'.encode().decode("latin-1")}
    worker.close()


def test_a_pipeline_of_hugging_faces_images_is_called_with_its_parameters(hugging_face):
    worker = hugging_face(HUGGING_FACE)
    json_type, csv_type = {"Content-Type": "application/json"}, {"Content-Type": "text/csv"}
    body = b'{"inputs": ["a", "b"], "parameters": {"top_k": 3}}'
    assert worker.ask(json_type, body)["body"] == (
        '[{"label":"A","top":3},{"label":"B","top":3}]')
    assert worker.ask(json_type | {"Accept": "text/csv"}, b'["a"]')["body"] == (
        "label,top\r\nA,1\r\n")
    assert worker.ask(csv_type, b'inputs\n"a, b"\nc\n')["body"] == (
        '[{"label":"A, B","top":1},{"label":"C","top":1}]')
    headless = worker.ask(csv_type, b"a\nb\n")
    assert headless["status"] == 500 and "a header with a column inputs" in headless["body"]
    assert worker.ask({"Content-Type": "image/png"}, b"1")["status"] == 500
    assert worker.ask(json_type | {"Accept": "image/png"}, b'["a"]')["status"] == 500
    worker.close()
