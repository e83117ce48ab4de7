"""The texts that bench/ measures on: SST-2 and app reviews below MILLRACE_TEST_DATA where that is
there, else the reviews of samples/; and texts of one exact length made from their words."""
import csv
import json
import os
import pathlib
import random

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("MILLRACE_TEST_DATA", ROOT.parent / "shared")) / "data"
SPECIAL_TOKENS = 2  # [CLS] and [SEP]


def one_line(text):
    return " ".join(text.split())


def samples():
    with open(ROOT / "samples/reviews.csv", encoding="utf-8", newline="") as f:
        return [one_line(row["text"]) for row in csv.DictReader(f) if row["text"].strip()]


def _tsv_sentences(name):
    path = DATA / "sst2/SST-2" / name
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[1:]
    return [line.split("\t")[0].strip() for line in lines if line]


def sst2_dev():
    return _tsv_sentences("dev.tsv") or samples()


def sst2_train():
    return _tsv_sentences("train.tsv") or samples()


def _csv_reviews(folder):
    for path in sorted(folder.rglob("*.csv")):
        with open(path, encoding="utf-8-sig", newline="", errors="replace") as f:
            for row in csv.DictReader(f):
                text = one_line(row.get("content") or row.get("review") or row.get("text") or "")
                if text:
                    yield text


def app_reviews(count):
    """`count` reviews of one app as they came, duplicates included, in a fixed random order."""
    texts = list(_csv_reviews(DATA / "app-reviews/uber")) or samples()
    random.Random(3).shuffle(texts)
    return texts[:count]


def distinct_reviews(count):
    """`count` distinct texts of the length of reviews, in a fixed random order."""
    texts = set(_csv_reviews(DATA / "app-reviews"))
    if len(texts) < count:
        texts.update(_tsv_sentences("train.tsv"))
    texts = sorted((texts or set(samples())) - {""})
    random.Random(1).shuffle(texts)
    return texts[:count]


def of_length(tokenizer, length, count):
    """`count` texts of exactly `length` tokens, special ones included: words of SST-2 in a row."""
    pieces = {}
    for text in sst2_dev():
        for word in text.split():
            if word not in pieces:
                pieces[word] = len(tokenizer.encode(word, add_special_tokens=False).ids)
    words = sorted(word for word, n in pieces.items() if n > 0)
    singles = [word for word in words if pieces[word] == 1]
    source = random.Random(length)
    texts = []
    while len(texts) < count:
        text, left = [], length - SPECIAL_TOKENS
        while left > 0:
            word = source.choice(words)
            if pieces[word] > left:
                word = source.choice(singles)
            text.append(word)
            left -= pieces[word]
        text = " ".join(text)
        if len(tokenizer.encode(text).ids) == length:  # '.' '.' may join where words did not
            texts.append(text)
    return texts


def tokenizer_folder():
    real = DATA / "tokenizer/distilbert-base-uncased-finetuned-sst-2-english"
    return real if real.exists() else ROOT / "models/sst2-small"


def load_tokenizer(folder=None):
    from tokenizers import BertWordPieceTokenizer, Tokenizer
    folder = pathlib.Path(folder or tokenizer_folder())
    if (folder / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
    else:
        tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(512)
    return tokenizer


def write_lines(path, texts):
    path.write_text("".join(t + "\n" for t in texts), encoding="utf-8")
    return path


def write_jsonl(path, texts):
    with open(path, "w", encoding="utf-8") as f:
        for text in texts:
            f.write(json.dumps({"inputs": text}, ensure_ascii=False) + "\n")
    return path


def big_jsonl(path, size):
    """`size` bytes of 20,000 distinct reviews repeated at random."""
    if path.exists() and path.stat().st_size >= size:
        return path
    lines = [json.dumps({"inputs": t}, ensure_ascii=False) + "\n" for t in distinct_reviews(20000)]
    encoded = [line.encode() for line in lines]
    source = random.Random(2)
    written = 0
    with open(path, "wb") as f:
        while written < size:
            block = b"".join(source.choices(encoded, k=10000))
            f.write(block)
            written += len(block)
    return path
