"""Models with Python code for tests: folders and archives, the program's own cache of environments,
and what a job must not leave behind."""
import os
import pathlib
import tarfile
import textwrap
import time

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
