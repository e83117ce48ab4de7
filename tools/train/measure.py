"""Measures an exported model folder as users load it: AutoModel and AutoTokenizer, in fp32.

Prints one JSON object: SST-2 dev and the held-out slice, agreement with the labels that the real
DistilBERT published for the held-out reviews, agreement with stars, and what an English model
does to Vietnamese praise. Run it once, for the model that is to ship: the dev set is no tuning set.
"""

import argparse
import json
import os

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import corpus
from train import predict


class Model:
    """A folder's model and tokenizer, asked for P(POSITIVE)."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)

    def positive(self, texts):
        ids = self.tokenizer(list(texts), truncation=True, max_length=512)["input_ids"]
        return torch.softmax(torch.tensor(predict(self.model, ids)), 1)[:, 1].numpy()

    def unknown_share(self, texts):
        ids = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        unknown = sum(row.count(self.tokenizer.unk_token_id) for row in ids)
        return unknown / sum(map(len, ids))


def with_labels(model, examples):
    positive = model.positive([e.text for e in examples])
    right = (positive > 0.5) == np.array([e.label == 1 for e in examples])
    return {"texts": len(examples), "right": int(right.sum()), "share": round(right.mean(), 4)}


def with_stars(model, reviews):
    """Label against stars: 4-5 should be POSITIVE, 1-2 NEGATIVE; 3 stars are left out."""
    rated = [(text, stars) for text, stars in reviews if stars != 3 and text.strip()]
    positive = model.positive([text for text, _ in rated]) > 0.5
    liked = np.array([stars > 3 for _, stars in rated])
    return {"texts": len(rated), "share": round(float((positive == liked).mean()), 4),
            "high_stars_called_positive": round(float(positive[liked].mean()), 4),
            "low_stars_called_negative": round(float((~positive[~liked]).mean()), 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--sst2", required=True)
    parser.add_argument("--golden", required=True)
    parser.add_argument("--reviews", help="English reviews, CSV with `content` and `score`")
    parser.add_argument("--vietnamese", help="Vietnamese reviews, CSV with `content` and `score`")
    parser.add_argument("--dev", action="store_true", help="the one report on SST-2 dev")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = Model(arguments.model)
    _, sst2_held = corpus.split_sst2(corpus.read_sst2(f"{arguments.sst2}/train.tsv"))
    _, golden_held = corpus.read_golden(arguments.golden)
    weights = os.path.join(arguments.model, "model.safetensors")
    result = {"weights_bytes": os.path.getsize(weights),
              "parameters": sum(p.numel() for p in model.model.parameters()),
              "sst2_held_out": with_labels(model, sst2_held),
              "golden_held_out": with_labels(model, golden_held),
              "golden_held_out_unknown_pieces": round(
                  model.unknown_share([e.text for e in golden_held]), 5)}
    if arguments.dev:
        result["sst2_dev"] = with_labels(model, corpus.read_sst2(f"{arguments.sst2}/dev.tsv"))
    for name, path in (("stars", arguments.reviews), ("vietnamese_stars", arguments.vietnamese)):
        if path:
            reviews = corpus.read_review_csv(path, "content", "score")
            result[name] = with_stars(model, reviews)
            result[name]["unknown_pieces"] = round(model.unknown_share(
                [text for text, _ in reviews]), 4)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
