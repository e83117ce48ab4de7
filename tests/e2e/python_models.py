"""Models with Python code for tests: folders and archives, the program's own cache of environments,
AWS's toolkit to compare with, and what a job must not leave behind."""
import json
import os
import pathlib
import subprocess
import tarfile
import textwrap
import time

from cli import Cli, write

# Environments are made from PyPI once and kept where the tests' other tools are.
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")
                     ) / "millrace-dev" / "python-models"
LINES = ("--content-type", "text/plain", "--split-type", "Line", "--assemble-with", "None",
         "--threads", "2")

ECHO = """
    def model_fn(model_dir):
        return None

    def input_fn(data, content_type):
        return data

    def predict_fn(data, model):
        return data

    def output_fn(prediction, accept):
        return prediction, accept
"""


def make_model(folder, code, requirements=None, name="inference.py", files=()):
    """A model folder with code/<name>."""
    folder = pathlib.Path(folder)
    (folder / "code").mkdir(parents=True)
    (folder / "code" / name).write_text(textwrap.dedent(code))
    if requirements is not None:
        (folder / "code" / "requirements.txt").write_text(requirements)
    for path, content in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


def archive(folder, path):
    with tarfile.open(path, "w:gz") as out:
        for file in sorted(folder.rglob("*")):
            out.add(file, file.relative_to(folder), recursive=False)
    return path


def interpreter(millrace, folder, *flags):
    """The one that the program runs such models with: it has AWS's toolkit."""
    model = make_model(folder / "model", """
        import sys

        def model_fn(model_dir):
            return None

        def transform_fn(model, data, content_type, accept):
            return sys.executable
    """)
    write(folder / "in.txt", "x\n")
    Cli(millrace, folder / "home").transform(
        model, folder / "in.txt", folder / "out.txt", *LINES, *flags,
        env={"XDG_CACHE_HOME": str(CACHE)}, timeout=600)
    return (folder / "out.txt").read_text()


class Reference:
    """AWS's toolkit by itself, over a model in a folder named `model`."""

    def __init__(self, python, model, environment=None):
        self.process = subprocess.Popen(
            [python, pathlib.Path(__file__).with_name("python_reference.py"), model],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | (environment or {}))

    def read(self):
        return json.loads(self.process.stdout.readline())

    def ask(self, headers, body):
        self.process.stdin.write(json.dumps({"headers": headers,
                                             "body": body.decode("latin-1")}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


def processes(marker):
    """Ids of processes that have the marker in their command line."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(marker).encode() in arguments and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
