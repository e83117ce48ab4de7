"""The texts that the shipped model learns from and is measured on, and how they are divided.

A held-out part is cut from each source before anything is learnt: whole SST-2 sentences together
with every phrase of theirs (the train file is mostly phrases of its sentences, so a random slice
would be half known already), and 30 % of the labelled reviews, chosen by a hash of the text so
that every run cuts alike.
"""

import csv
import hashlib
import json
import math
import re
from dataclasses import dataclass

HELD_OUT_SENTENCES = 500
HELD_OUT_REVIEW_SHARE = 0.30
# A probability that float32 rounds to 0 or 1 has no finite logit; +-8 is where scores show 0.9997.
LOGIT_LIMIT = 8.0


@dataclass
class Example:
    """One text; `margin` is the wanted logit(POSITIVE) - logit(NEGATIVE), None where unknown."""

    text: str
    label: int
    margin: float | None = None


def stable_fraction(text):
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def read_sst2(path):
    """The rows of a GLUE SST-2 file; quotes in it are plain characters."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Example(row["text" if "text" in row else "sentence"].strip(), int(row["label"]))
                for row in rows]


def split_sst2(examples):
    """Returns (train, held out): held out are whole sentences, train has none of their phrases."""
    longest_first = sorted({e.text for e in examples}, key=lambda t: -len(t))
    candidates = [t for t in longest_first if len(t.split()) >= 10]
    candidates.sort(key=stable_fraction)
    held, every_text = [], "\n" + "\n".join(longest_first) + "\n"
    for text in candidates:
        if every_text.count(text) == 1:  # no longer row contains it: a whole sentence
            held.append(text)
        if len(held) == HELD_OUT_SENTENCES:
            break
    phrases = set()
    for text in held:
        words = text.split()
        for begin in range(len(words)):
            for end in range(begin + 1, len(words) + 1):
                if end - begin >= 3:
                    phrases.add(" ".join(words[begin:end]))
    chosen = set(held)
    unique_held = {e.text: e for e in examples if e.text in chosen}
    train = [e for e in examples if " ".join(e.text.split()) not in phrases]
    return train, list(unique_held.values())


def read_golden(path):
    """Returns (train, held out) of the reviews with the published labels of the real model."""
    train, held = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            low = min(max(row["p_positive_min"], 1e-9), 1 - 1e-9)
            high = min(max(row["p_positive_max"], 1e-9), 1 - 1e-9)
            p = (low + high) / 2
            margin = max(-LOGIT_LIMIT, min(LOGIT_LIMIT, math.log(p / (1 - p))))
            example = Example(row["texts"][0], int(row["label"] == "POSITIVE"), margin)
            is_held = stable_fraction(example.text) < HELD_OUT_REVIEW_SHARE
            (held if is_held else train).append(example)
    return train, held


def read_review_csv(path, text_column, star_column):
    """(text, stars) of every row of a review file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return [(row[text_column] or "", int(row[star_column])) for row in csv.DictReader(file)]


_JOINS = [
    (re.compile(r"\b(\w+) n't\b"), r"\1n't"),
    (re.compile(r" ('s|'re|'ve|'ll|'d|'m)\b"), r"\1"),
    (re.compile(r" ([.,;:!?])"), r"\1"),
    (re.compile(r"`` "), '"'),
    (re.compile(r" ''"), '"'),
]


def as_people_write(text):
    """Undoes SST-2's tokenised spelling ("ca n't", "it 's ,"): reviews are written otherwise,
    and "can't" and "ca n't" are different pieces."""
    for pattern, replacement in _JOINS:
        text = pattern.sub(replacement, text)
    return text
