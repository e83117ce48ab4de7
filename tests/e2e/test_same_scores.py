"""One model three ways: natively, behind its own HTTP door, and as Python code that wraps
Transformers with the same weights. Same labels, scores within 1e-4. With MILLRACE_LONG_TESTS=1 and
the test data: it needs PyTorch."""
import json
import os
import shutil

import pytest

from cli import write
from heavy_python import heavy_python
from python_models import CACHE, make_model

TEXTS = 600
WRAPPER = """
    import json

    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline


    def model_fn(model_dir):
        model = AutoModelForSequenceClassification.from_pretrained(model_dir, dtype=torch.float32)
        return pipeline("text-classification", model=model, device="cpu",
                        tokenizer=AutoTokenizer.from_pretrained(model_dir))


    def input_fn(data, content_type):
        text = data if isinstance(data, str) else data.decode()
        return [json.loads(line)["inputs"] for line in text.splitlines() if line.strip()]


    def predict_fn(texts, model):
        return [[result] for result in model(texts, truncation=True, batch_size=16)]


    def output_fn(results, accept):
        return "".join(json.dumps(result) + "\\n" for result in results), "application/jsonlines"
"""


def results(path):
    return [json.loads(line)[0] for line in path.read_text().splitlines()]


@pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1", reason="MILLRACE_LONG_TESTS=1")
def test_the_same_weights_say_the_same_natively_by_http_and_in_transformers(cli, millrace,
                                                                           test_data, tmp_path):
    weights = test_data / "models" / "minilm-l6-sst2"
    if not weights.exists():
        pytest.skip(f"no model in {weights}")
    python = heavy_python()
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE), "HF_HUB_OFFLINE": "1"}
    lines = (weights / "reference_reviews.jsonl").read_text().splitlines()[:TEXTS]
    texts = [json.loads(line)["text"] for line in lines]
    source = write(tmp_path / "reviews.jsonl",
                   "".join(json.dumps({"inputs": text}) + "\n" for text in texts))
    wrapped = make_model(tmp_path / "wrapped", WRAPPER)
    for file in weights.iterdir():
        if file.name.startswith(("config", "model", "tokenizer")):
            shutil.copy(file, wrapped / file.name)

    cli.transform(weights, source, tmp_path / "native.jsonl")
    cli.run("transform", "--model-command", f"exec {millrace} model serve --model {weights}",
            "--input", source, "--output", tmp_path / "http.jsonl")
    cli.transform(wrapped, source, tmp_path / "python.jsonl", "--python", python,
                  "--max-payload-in-mb", 1)

    native = results(tmp_path / "native.jsonl")
    assert len(native) == len(texts)
    assert (tmp_path / "http.jsonl").read_bytes() == (tmp_path / "native.jsonl").read_bytes()
    python_results = results(tmp_path / "python.jsonl")
    assert [r["label"] for r in python_results] == [r["label"] for r in native]
    worst = max(abs(a["score"] - b["score"]) for a, b in zip(python_results, native))
    print(f"{len(texts)} reviews, largest difference of scores {worst:.2e}")
    assert worst <= 1e-4
