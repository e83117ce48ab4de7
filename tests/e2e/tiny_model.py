"""A DistilBERT with random weights and a vocabulary of letters and a few words: loads in no time,
answers differently for different texts, and is the same in every run."""
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ("the a i it is was not very good great bad awful love hate app driver update crash "
         "crashes never always again easy slow fast money refund pay ride works nice worst "
         "best").split()


def vocabulary():
    characters = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    pieces = [f"##{c}" for c in characters if c.isalnum()]
    return SPECIAL + characters + pieces + WORDS


def make_tiny_model(folder, hidden=32, layers=2, labels=("NEGATIVE", "POSITIVE"), seed=7):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    words = vocabulary()
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": 512}))
    config = {
        "architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert",
        "activation": "gelu", "dim": hidden, "hidden_dim": 4 * hidden, "n_layers": layers,
        "n_heads": 4, "max_position_embeddings": 512, "vocab_size": len(words),
        "sinusoidal_pos_embds": False, "pad_token_id": 0,
        "id2label": {str(i): label for i, label in enumerate(labels)},
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tensors = make_tensors(hidden, layers, len(words), len(labels), np.random.default_rng(seed))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def make_tensors(hidden, layers, words, labels, random):
    tensors = {}

    def normal(name, *shape, spread):
        tensors[name] = (random.standard_normal(shape) * spread).astype(np.float32)

    def norm(name):
        normal(name + ".weight", hidden, spread=0.1)
        tensors[name + ".weight"] += 1
        normal(name + ".bias", hidden, spread=0.1)

    def linear(name, outputs, inputs):
        normal(name + ".weight", outputs, inputs, spread=1.5 / np.sqrt(inputs))
        normal(name + ".bias", outputs, spread=0.1)

    normal("distilbert.embeddings.word_embeddings.weight", words, hidden, spread=1)
    normal("distilbert.embeddings.position_embeddings.weight", 512, hidden, spread=0.3)
    norm("distilbert.embeddings.LayerNorm")
    for layer in range(layers):
        prefix = f"distilbert.transformer.layer.{layer}."
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            linear(prefix + "attention." + name, hidden, hidden)
        norm(prefix + "sa_layer_norm")
        linear(prefix + "ffn.lin1", 4 * hidden, hidden)
        linear(prefix + "ffn.lin2", hidden, 4 * hidden)
        norm(prefix + "output_layer_norm")
    linear("pre_classifier", hidden, hidden)
    linear("classifier", labels, hidden)
    return tensors
