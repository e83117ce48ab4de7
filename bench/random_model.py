"""A text classifier of a given DistilBERT shape with random weights, in Hugging Face layout.

Speed and memory depend on the shape alone, so this stands in for the 268 MB model that nobody can
download in a benchmark.
"""
import json
import pathlib
import shutil

import numpy as np
from safetensors.numpy import save_file

BASE = {"dim": 768, "hidden_dim": 3072, "n_layers": 6, "n_heads": 12}
# As little arithmetic as a model can have: what remains is reading, tokenization and writing.
TINY = {"dim": 32, "hidden_dim": 64, "n_layers": 1, "n_heads": 2}
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json",
                   "special_tokens_map.json")


def make_model(folder, shape, tokenizer_dir, seed=1):
    """Makes `folder` once; `tokenizer_dir` lends its tokenizer's files."""
    folder, tokenizer_dir = pathlib.Path(folder), pathlib.Path(tokenizer_dir)
    if (folder / "model.safetensors").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (tokenizer_dir / name).exists():
            shutil.copy(tokenizer_dir / name, folder)
    if (tokenizer_dir / "vocab.txt").exists():
        words = len((tokenizer_dir / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1])
    else:
        words = len(json.loads((tokenizer_dir / "tokenizer.json").read_text())["model"]["vocab"])
    config = {
        "architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert",
        "activation": "gelu", "vocab_size": words, "max_position_embeddings": 512,
        "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
        "label2id": {"NEGATIVE": 0, "POSITIVE": 1}, "sinusoidal_pos_embds": False, **shape}
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    save_file(_tensors(shape, words, np.random.default_rng(seed)),
              folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _tensors(shape, words, random):
    dim, hidden = shape["dim"], shape["hidden_dim"]
    tensors = {}

    def matrix(name, *size):
        tensors[name] = random.standard_normal(size, dtype=np.float32) * np.float32(0.04)

    def norm(name):
        tensors[name + ".weight"] = np.ones(dim, np.float32)
        tensors[name + ".bias"] = np.zeros(dim, np.float32)

    def linear(name, outputs, inputs):
        matrix(name + ".weight", outputs, inputs)
        matrix(name + ".bias", outputs)

    matrix("distilbert.embeddings.word_embeddings.weight", words, dim)
    matrix("distilbert.embeddings.position_embeddings.weight", 512, dim)
    norm("distilbert.embeddings.LayerNorm")
    for index in range(shape["n_layers"]):
        layer = f"distilbert.transformer.layer.{index}."
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            linear(layer + "attention." + name, dim, dim)
        linear(layer + "ffn.lin1", hidden, dim)
        linear(layer + "ffn.lin2", dim, hidden)
        norm(layer + "sa_layer_norm")
        norm(layer + "output_layer_norm")
    linear("pre_classifier", dim, dim)
    linear("classifier", 2, dim)
    return tensors
