"""Handler scripts that others wrote and published, run as they are: the one that SageMaker's SDK
packs for ModelBuilder, and AutoGluon's. Each job's answers are what AWS's toolkit by itself gets
from the same script. With MILLRACE_LONG_TESTS=1: they come from PyPI."""
import json
import os
import pathlib
import subprocess

import pytest

from cli import write
from conftest import ROOT
from python_models import CACHE, Reference, interpreter

HERE = pathlib.Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1",
                                reason="MILLRACE_LONG_TESTS=1")
CSV = "size,age,colour\n0.9,3,red\n0.05,88,blue\n0.5,40,green\n"
ROWS = json.dumps({"size": [0.9, 0.05], "age": [3, 88], "colour": ["red", "blue"]})


@pytest.fixture(scope="module")
def environment(millrace, tmp_path_factory):
    """Makes the environment that a published package needs; returns its interpreter and the one
    that also has AWS's toolkit."""
    made = {}

    def make(kind):
        if kind not in made:
            done = subprocess.run([ROOT / "scripts" / "test-clients", kind], text=True,
                                  timeout=1800, stdout=subprocess.PIPE, check=False)
            if done.returncode != 0:
                pytest.skip(f"{kind} cannot be installed here (is PyPI reached?)")
            python = pathlib.Path(done.stdout.strip(), "bin", "python")
            made[kind] = python, interpreter(millrace, tmp_path_factory.mktemp(kind), "--python",
                                             python)
        return made[kind]
    return make


@pytest.fixture
def compare(cli, tmp_path):
    """Runs a job over some bodies, and the toolkit over the same: returns its answers by name."""
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE)}

    def run(pythons, model, bodies, content_type, accept, variables=None, fails=()):
        source, target = tmp_path / "in", tmp_path / f"out-{content_type.replace('/', '-')}"
        for name, body in bodies.items():
            write(source / name, body)
        flags = [word for pair in (variables or {}).items() for word in ("--env", "=".join(pair))]
        done = cli.transform(
            model, source, target, *flags, "--python", pythons[0], "--content-type", content_type,
            "--accept", accept, "--split-type", "None", "--assemble-with", "None", "--threads", "1",
            "--invocations-max-retries", "0", exit_status=1 if fails else 0)
        reference = Reference(pythons[1], model, variables)
        answers = {}
        for name, body in bodies.items():
            answer = reference.ask({"Content-Type": content_type, "Accept": accept}, body.encode())
            answers[name] = answer["body"]
            assert (answer["status"] == 200) == (name not in fails), answer
            if name in fails:
                assert not (target / f"{name}.out").exists()
                assert f"{name}: record 1 (byte 0): Bad HTTP status received from algorithm: "\
                    f"{answer['status']}: {answer['body'].splitlines()[0]}" in done.stderr
            else:
                assert (target / f"{name}.out").read_bytes() == answer["body"].encode("latin-1")
        reference.close()
        for file in source.iterdir():
            file.unlink()
        return answers
    return run


def test_the_handler_that_sagemakers_sdk_packs_for_model_builder(environment, compare, tmp_path):
    pythons = environment("sdk2")
    model = tmp_path / "ml" / "model"
    subprocess.run([pythons[0], HERE / "clients" / "model_builder.py", model], check=True,
                   timeout=300)
    answers = compare(pythons, model, {
        "a.json": '{"rows": [[1, 2, 3], [0, 0, 0]]}', "b.json": '{"rows": []}',
        "bad.json": '{"rows": [["x", "y"]]}', "no.json": "{broken"},
        "application/json", "application/json", fails=("bad.json", "no.json"))
    assert json.loads(answers["a.json"]) == {"sums": [4.5, 0.0]}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_autogluons_serving_script(environment, compare, tmp_path, kind):
    pythons = environment("autogluon")
    model = tmp_path / "ml" / "model"
    subprocess.run([pythons[0], HERE / "clients" / "autogluon_model.py", model, kind], check=True,
                   timeout=300)
    variables = {"SAGEMAKER_PROGRAM": "tabular_serve.py"}
    table = compare(pythons, model, {
        "a.csv": CSV, "headless.csv": CSV.partition("\n")[2], "one.csv": "size,age\n1,2\n"},
        "text/csv", "text/csv", variables, fails=("one.csv",))
    lines = table["a.csv"].splitlines()
    assert len(lines) == 4 and lines[0].split(",")[0] == "target"
    first, second = (line.split(",")[0] for line in lines[1:3])
    expected = {"binary": ("True", "False"), "multiclass": ("high", "low")}
    if kind in expected:
        assert (first, second) == expected[kind]
    else:
        assert float(first) > 5 > float(second)
    assert table["headless.csv"] == table["a.csv"]
    compare(pythons, model, {"a.json": ROWS}, "application/json", "application/json", variables)
