"""The examples do what their READMEs say. What needs PyTorch or scikit-learn is run with
MILLRACE_LONG_TESTS=1, in the environment of bench/, which has both."""
import csv
import json
import math
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import ROOT
from heavy_python import heavy_python
from python_models import CACHE

EXAMPLES = ROOT / "examples"
LONG = pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1",
                          reason="MILLRACE_LONG_TESTS=1")


@pytest.fixture
def example(tmp_path):
    """A copy, so that nothing is written into the sources."""
    def copy(name):
        return pathlib.Path(shutil.copytree(EXAMPLES / name, tmp_path / name))
    return copy


@pytest.fixture
def cli(cli):
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE)}
    return cli


def transform(cli, folder, *arguments, **options):
    return cli.run("transform", *arguments, cwd=folder, **options)


def rows(path):
    with path.open(newline="") as lines:
        return list(csv.reader(lines))


@pytest.fixture
def go(tmp_path):
    if shutil.which("go") is None:
        pytest.skip("there is no go in the PATH")

    def build(folder):
        environment = os.environ | {"GOCACHE": str(CACHE.parent / "go-build"),
                                    "GOPATH": str(tmp_path / "gopath"),
                                    "GOFLAGS": "-buildvcs=false", "CGO_ENABLED": "0"}
        subprocess.run(["go", "build", "-o", "route", "."], cwd=folder, env=environment, check=True,
                       timeout=300)
        return folder / "route"
    return build


def test_clean_then_classify(cli, example):
    folder = example("pipeline")
    transform(cli, folder, "--model", "clean", "--model", "sst2-small", "--input", "reviews.txt",
              "--output", "labelled.csv")
    assert [row[0] for row in rows(folder / "labelled.csv")] == ["POSITIVE", "NEGATIVE"]
    run = transform(cli, folder, "--pipeline", "pipeline.json", "--input", "reviews.txt",
                    "--output", "echoed.csv")
    assert [row[:2] for row in rows(folder / "echoed.csv")] == [
        ["Great app, works every day & never crashes!", "POSITIVE"],
        ["Terrible update, it deletes my photos. See for others", "NEGATIVE"]]
    assert [step["step"] for step in run.summary["steps"]] == ["step 1 (clean)", "step 2 (label)"]


def test_a_server_in_go(cli, example, go):
    folder = example("go")
    go(folder)
    transform(cli, folder, "--model-command", "exec ./route", "--input", "labelled.csv", "--output",
              "routed.csv", "--content-type", "text/csv")
    assert rows(folder / "routed.csv") == [
        ["call back", "Crashes, every day"], ["thank", "Nice app"], ["look at it", "It is an app"]]
    (folder / "labelled.csv").write_text("a,POSITIVE,much\n")
    run = transform(cli, folder, "--model-command", "exec ./route", "--input", "labelled.csv",
                    "--output", "bad.csv", "--content-type", "text/csv", exit_status=1)
    assert "ClientError: 400: row 1: the score 'much' is no number" in run.stderr


def test_the_server_in_go_routes_what_the_native_model_says(cli, example, go):
    folder = example("go")
    go(folder)
    (folder / "pipeline.json").write_text(json.dumps({"Containers": [
        {"ModelDataUrl": "sst2-small", "Environment": {"MILLRACE_ECHO_INPUT": "1"}},
        {"Environment": {"MILLRACE_MODEL_COMMAND": "exec ./route"}}]}))
    (folder / "reviews.txt").write_text('I love it, "really"\nTerrible, it crashes\n')
    transform(cli, folder, "--pipeline", "pipeline.json", "--input", "reviews.txt", "--output",
              "routed.csv")
    assert rows(folder / "routed.csv") == [["thank", 'I love it, "really"'],
                                           ["call back", "Terrible, it crashes"]]


def with_python(python, *arguments, cwd):
    subprocess.run([str(python), *arguments], cwd=cwd, check=True, timeout=300)


@LONG
def test_a_scikit_learn_model(cli, example):
    python = heavy_python()
    folder = example("scikit-learn")
    (folder / "code" / "requirements.txt").unlink()  # the environment has another version of it
    with_python(python, "train.py", cwd=folder)
    transform(cli, folder, "--model", ".", "--python", python, "--input", "reviews.jsonl",
              "--output", "labelled.csv", "--accept", "text/csv")
    found = rows(folder / "labelled.csv")
    assert [row[0] for row in found] == ["good", "bad"]
    assert all(0.5 < float(row[1]) < 1 for row in found)


@LONG
def test_a_pytorch_model(cli, example):
    python = heavy_python()
    folder = example("pytorch")
    with_python(python, "make_model.py", cwd=folder)
    transform(cli, folder, "--model", ".", "--python", python, "--input", "rows.csv", "--output",
              "scores.csv", "--content-type", "text/csv")
    expected = [1 / (1 + math.exp(-(0.5 * a - b + 0.25 * c + 0.1)))
                for a, b, c in ((1, 2, 3), (0, 0, 0), (-1.5, 0.5, 4))]
    found = [float(row[0]) for row in rows(folder / "scores.csv")]
    assert found == pytest.approx(expected, abs=1e-5)
