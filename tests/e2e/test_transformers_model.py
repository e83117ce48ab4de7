"""Models in Hugging Face layout that the native engine does not run: Transformers does, where the
user names a Python that has it."""
import json
import os
import shutil
import subprocess

import pytest

from cli import write
from heavy_python import heavy_python
from python_models import CACHE

JSON = ("--content-type", "application/json", "--accept", "application/json", "--split-type",
        "Line", "--batch-strategy", "SingleRecord", "--assemble-with", "Line", "--threads", "1")
# Says what it was asked for.
STAND_IN = """
def pipeline(task, model, tokenizer):
    def answer(inputs, **parameters):
        return {"task": task, "inputs": inputs, "parameters": parameters,
                "same": model == tokenizer}
    return answer
"""


@pytest.fixture
def model(tmp_path):
    write(tmp_path / "model" / "config.json",
          json.dumps({"architectures": ["RobertaForMaskedLM"], "model_type": "roberta"}))
    return tmp_path / "model"


@pytest.fixture
def run(cli, tmp_path):
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE), "HF_HUB_OFFLINE": "1"}

    def transform(model, lines, *flags, exit_status=0):
        source = write(tmp_path / "in.jsonl", lines)
        return cli.transform(model, source, tmp_path / "out.jsonl", *JSON, *flags,
                             exit_status=exit_status, timeout=300)
    return transform


def output(tmp_path):
    return [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]


def test_another_architecture_or_task_is_run_by_transformers(run, model, tmp_path):
    write(tmp_path / "packages" / "transformers.py", STAND_IN)
    flags = ("--python", shutil.which("python3"), "--env", f"PYTHONPATH={tmp_path / 'packages'}")
    run(model, '{"inputs": "a [MASK]", "parameters": {"top_k": 2}}\n"b"\n', *flags)
    assert output(tmp_path) == [
        {"task": "fill-mask", "inputs": "a [MASK]", "parameters": {"top_k": 2}, "same": True},
        {"task": "fill-mask", "inputs": "b", "parameters": {}, "same": True}]
    run(model, '"c"\n', *flags, "--env", "HF_TASK=feature-extraction", "--if-exists", "overwrite")
    assert output(tmp_path)[0]["task"] == "feature-extraction"


def test_without_a_python_that_has_it_both_ways_are_told(run, model):
    done = run(model, '"a"\n', exit_status=2)
    assert 'architectures: "RobertaForMaskedLM"' in done.stderr
    assert "--python names a Python that has it" in done.stderr and "--image" in done.stderr
    done = run(model, '"a"\n', "--python", shutil.which("python3"), exit_status=2)
    assert "ModuleNotFoundError: No module named 'transformers'" in done.stderr
    assert "--image" in done.stderr


@pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1", reason="MILLRACE_LONG_TESTS=1")
def test_real_transformers_answer_as_their_pipeline_does(run, test_data, tmp_path):
    weights = test_data / "models" / "minilm-l6-sst2"
    if not weights.exists():
        pytest.skip(f"no model in {weights}")
    python = heavy_python()
    run(weights, '{"inputs": "a fine day"}\n', "--python", python, "--env",
        "HF_TASK=feature-extraction")
    code = ("import json, sys, transformers; p = transformers.pipeline('feature-extraction', "
            "model=sys.argv[1], tokenizer=sys.argv[1]); print(json.dumps(p('a fine day')))")
    asked = subprocess.run([python, "-c", code, weights], capture_output=True, text=True,
                           check=True, timeout=300)
    ours, theirs = output(tmp_path)[0], json.loads(asked.stdout.splitlines()[-1])
    assert len(ours[0]) == len(theirs[0]) > 3
    for row, expected in zip(ours[0], theirs[0]):
        assert row == pytest.approx(expected, abs=1e-5)
