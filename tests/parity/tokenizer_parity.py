#!/usr/bin/env python3
"""Compares Millrace's tokenizer with Hugging Face `tokenizers`, id by id: any difference is exit 1.

The short form (under 30 s) takes a sample of everything; --long takes everything: all texts of
the data folder, every code point alone and inside a word, 100,000 random strings, pairs with
truncation, with each vocabulary from tokenizer.json and from vocab.txt, and with every combination
of normaliser settings. --wide is --long with every text and code point for one form of each
vocabulary only; its other form and the settings see a tenth. Without the data folder
(MILLRACE_TEST_DATA) a small vocabulary made here is used and the rest is skipped.
"""

import argparse
import csv
import itertools
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

# The library panics on some sets of added tokens (see Comparison.expected); no backtraces of it.
os.environ["RUST_BACKTRACE"] = "0"
from tokenizers import (AddedToken, Tokenizer, models, normalizers,  # noqa: E402
                        pre_tokenizers, processors)

ROOT = pathlib.Path(__file__).resolve().parents[2]
NONE = 0xFFFFFFFF
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BATCH = 20000
SECOND_FORMS = [f"bert-base-{kind} vocab.txt"
                for kind in ("cased", "uncased", "multilingual-cased", "multilingual-uncased")]


class Millrace:
    """Our tokenizer, as a process that is fed and read at the same time."""

    def __init__(self, driver, folder):
        self.process = subprocess.Popen([str(driver), str(folder)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def encode(self, items, max_length):
        def feed():
            for first, second in items:
                a = first.encode()
                b = b"" if second is None else second.encode()
                size = NONE if second is None else len(b)
                self.process.stdin.write(struct.pack("<III", max_length, len(a), size) + a + b)
            self.process.stdin.flush()

        writer = threading.Thread(target=feed)
        writer.start()
        replies = []
        for _ in items:
            head = self.process.stdout.read(8)
            if len(head) != 8:
                raise SystemExit("the driver stopped")
            count, _ = struct.unpack("<II", head)
            ids = list(struct.unpack(f"<{count}i", self.process.stdout.read(4 * count)))
            types = list(self.process.stdout.read(count))
            replies.append((ids, types))
        writer.join()
        return replies

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Comparison:
    def __init__(self, driver, name, folder, reference):
        self.name, self.reference = name, reference
        self.millrace = Millrace(driver, folder)
        self.compared = self.differences = 0

    def check(self, items, max_length=1 << 30):
        """items: texts, or pairs of texts."""
        items = [(i, None) if isinstance(i, str) else i for i in items]
        self.reference.no_padding()
        if max_length < 1 << 30:
            self.reference.enable_truncation(max_length, strategy="longest_first")
        else:
            self.reference.no_truncation()
        for start in range(0, len(items), BATCH):
            batch = items[start:start + BATCH]
            expected = self.expected(batch)
            actual = self.millrace.encode(batch, max_length)
            for item, e, a in zip(batch, expected, actual):
                if e is None:
                    continue
                self.compared += 1
                if (e.ids, e.type_ids) != a:
                    self.differences += 1
                    if self.differences <= 5:
                        print(f"{self.name}: {item!r} max_length={max_length}\n"
                              f"  expected {e.ids[:60]} {e.type_ids[:60]}\n"
                              f"  got      {a[0][:60]} {a[1][:60]}")

    def expected(self, batch):
        """The library's encodings; None where it panics (added tokens that strip over others)."""
        inputs = [a if b is None else (a, b) for a, b in batch]
        try:
            return self.reference.encode_batch(inputs)
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
        return [self.one_expected(item) for item in inputs]

    def one_expected(self, item):
        try:
            return self.reference.encode_batch([item])[0]
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            return None

    def finish(self):
        self.millrace.close()
        state = "ok" if self.differences == 0 else f"{self.differences} DIFFERENCES"
        print(f"{self.name}: {self.compared} compared, {state}", flush=True)
        return self.differences


# --- texts ---


def data_texts(data):
    texts = []
    for line in (data / "golden/golden_app_reviews.jsonl").open():
        texts += [v for v in json.loads(line).values() if isinstance(v, str)]
    texts += strings_in(json.load((data / "golden/golden_documented.json").open()))
    for path in sorted((data / "sst2/SST-2").glob("*.tsv")):
        texts += [cell for line in path.open() for cell in line.rstrip("\n").split("\t")]
    for path in sorted((data / "sst2/SST-2/original").glob("*.txt")):
        texts += path.read_text(errors="replace").split("\n")
    csv.field_size_limit(1 << 30)
    for path in sorted((data / "app-reviews").rglob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            texts += [cell for row in csv.reader(file) for cell in row]
    return list(dict.fromkeys(texts))


def strings_in(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [s for v in value for s in strings_in(v)] if isinstance(value, list) else []


def code_points():
    return [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


RANGES = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0, 0x1F), (0x7F, 0xFF),
          (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF), (0x900, 0xDFF),
          (0xE00, 0xFFF), (0x1100, 0x11FF), (0x1AB0, 0x1AFF), (0x1D00, 0x1FFF), (0x2000, 0x206F),
          (0x20D0, 0x20FF), (0x2100, 0x2BFF), (0x3000, 0x30FF), (0x302A, 0x302F), (0x3400, 0x9FFF),
          (0xAC00, 0xD7A3), (0xE000, 0xF8FF), (0xF900, 0xFAFF), (0xFB00, 0xFFFF),
          (0x10000, 0x1FFFF), (0x1D160, 0x1D172), (0x1F300, 0x1FAFF), (0x20000, 0x2FA1F),
          (0xE0000, 0xE01FF), (0x16FF0, 0x16FF1)]
PIECES = SPECIAL + ["[sep]", "[ SEP ]", "[SEP", "##ing", "hello", "world", " ", " ", "  ", "\n",
                    "\r\n", "\t", "n't", "don't", "...", "\u00e9", "e\u0301", "\u1e69",
                    "s\u0323\u0307", "s\u0307\u0323", "\u0130", "\u0131", "\u03a3", "\u03c2",
                    "\u00df", "\u1e9e", "\u4e2d\u6587", "\ud55c\uae00", "\u1112\u1161\u11ab",
                    "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\ufe0f", "\u200b",
                    "\u00ad", "\ufeff", "\u034f", "\u0344", "\u2126", "\u212b", "\u0958", "\ufb2c"]


def random_text(rng):
    parts = []
    for _ in range(rng.randint(0, 12)):
        kind = rng.random()
        if kind < 0.35:
            parts.append(rng.choice(PIECES))
        elif kind < 0.40:
            parts.append("".join(rng.choice("abcxyzABC") for _ in range(rng.randint(95, 110))))
        else:
            low, high = rng.choice(RANGES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8))))
        if rng.random() < 0.3:
            parts.append(" ")
    return "".join(c for c in "".join(parts) if not 0xD800 <= ord(c) <= 0xDFFF)


def random_texts(count, seed=1):
    rng = random.Random(seed)
    return [random_text(rng) for _ in range(count)]


# --- tokenizers ---


def bert_tokenizer(vocab, **normalizer):
    """What BertTokenizerFast builds from vocab.txt."""
    tokenizer = Tokenizer(models.WordPiece.from_file(str(vocab), unk_token="[UNK]"))
    defaults = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.normalizer = normalizers.BertNormalizer(**{**defaults, **normalizer})
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([t for t in SPECIAL if tokenizer.token_to_id(t) is not None])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ("[CLS]", "[SEP]")])
    return tokenizer


def made_vocabulary(folder):
    """For machines without the data: letters, some words, CJK, marks."""
    tokens = SPECIAL + ["hello", "Hello", "world", "don", "##ing", "##lo", "\u4e2d", "\u6587"]
    for c in itertools.chain(range(0x21, 0x7F), range(0xA1, 0x250), range(0x300, 0x310),
                             range(0x370, 0x400), range(0x1100, 0x1200)):
        tokens += [chr(c), "##" + chr(c)]
    path = folder / "vocab.txt"
    path.write_text("".join(t + "\n" for t in dict.fromkeys(tokens)))
    return path


def subfolder(work, name):
    folder = work / name.replace(" ", "_").replace("/", "_")
    folder.mkdir()
    return folder


def from_vocab(work, name, vocab, config):
    folder = subfolder(work, name)
    shutil.copyfile(vocab, folder / "vocab.txt")
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def from_json(work, name, tokenizer):
    folder = subfolder(work, name)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def tokenizers_of(data, work):
    """(name, folder, reference) for each vocabulary and setting."""
    vocabularies = sorted((data / "tokenizer").glob("*/vocab.txt")) if data else []
    for vocab in vocabularies:
        name = vocab.parent.name
        cased = "-cased" in name
        if (vocab.parent / "tokenizer.json").exists():
            folder = subfolder(work, name + " json")
            shutil.copyfile(vocab.parent / "tokenizer.json", folder / "tokenizer.json")
            yield name + " tokenizer.json", folder, Tokenizer.from_file(
                str(folder / "tokenizer.json"))
        config = json.load((vocab.parent / "tokenizer_config.json").open())
        folder = from_vocab(work, name + " vocab", vocab, config)
        yield name + " vocab.txt", folder, bert_tokenizer(vocab, lowercase=not cased)
    vocab = vocabularies[-1] if data else made_vocabulary(work)
    yield "no configuration", from_vocab(work, "plain", vocab, None), bert_tokenizer(vocab)
    for lower, strip, chinese in itertools.product((True, False), (None, True, False),
                                                   (True, False)):
        name = f"lower={lower} strip={strip} chinese={chinese}"
        config = {"do_lower_case": lower, "strip_accents": strip, "tokenize_chinese_chars": chinese,
                  "model_max_length": 1000000000000000019884624838656, "never_split": ["hello"]}
        yield name, from_vocab(work, name, vocab, config), bert_tokenizer(
            vocab, lowercase=lower, strip_accents=strip, handle_chinese_chars=chinese)
    unclean = bert_tokenizer(vocab, clean_text=False)
    yield "clean_text=False", from_json(work, "unclean", unclean), unclean
    odd = bert_tokenizer(vocab)
    odd.model = models.WordPiece(odd.get_vocab(with_added_tokens=False), unk_token="[UNK]",
                                 continuing_subword_prefix="h", max_input_chars_per_word=7)
    yield "prefix h, 7 characters a word", from_json(work, "odd", odd), odd


def with_added_tokens(vocab, rng):
    tokenizer = bert_tokenizer(vocab)
    contents = ["<b>", "Ab", "ab", "abc", "\u00c9t\u00e9", "x y", "[X]", "\u4e2d", "hello", "  ",
                "o", "<B>"]
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    normal_forms = set()
    for content in rng.sample(contents, 6):
        token = AddedToken(content, special=rng.random() < 0.5,
                           **{flag: rng.random() < 0.4 for flag in flags})
        normal = tokenizer.normalizer.normalize_str(content)
        if token.normalized and normal in normal_forms:
            continue  # which of two equal ones the library finds is left to chance
        normal_forms.add(normal)
        tokenizer.add_tokens([token])
    return tokenizer


ADDED_PIECES = ["<b>", "<B>", "Ab", "ab", "abc", "aB", "\u00c9t\u00e9", "ete", "x y", "X Y", "[X]",
                "\u4e2d", "hello", " ", "  ", "\u00a0", "\t", "o", "!", "_", "1", "\u0301", "[SEP]",
                "z", "\u00ad", "\u200d", "\u0904"]


def added_token_texts(count, seed):
    rng = random.Random(seed)
    return ["".join(rng.choice(ADDED_PIECES) for _ in range(rng.randint(0, 9)))
            for _ in range(count)]


def check_all(driver, data, work, level, only):
    long = level != "short"
    texts = data_texts(data) if data else []
    points = code_points()
    generated = random_texts({"short": 4000, "wide": 30000, "long": 100000}[level])
    rng = random.Random(2)
    if not long:
        texts = rng.sample(texts, min(len(texts), 3000))
        points = rng.sample(points, 3000) + points[:0x250] + points[0x300:0x370]
    inside = ["ab" + c + "cd" for c in points]
    differences = 0
    for name, folder, reference in tokenizers_of(data, work):
        if only not in name:
            continue
        comparison = Comparison(driver, name, folder, reference)
        second = name in SECOND_FORMS or "=" in name
        comparison.check(texts[::10] if level == "wide" and second else texts)
        # The vocabulary's other form has had every code point already; a setting of the normaliser
        # looks at a code point as a member of few classes.
        every = 100 if long and name in SECOND_FORMS else 10 if long and "=" in name else 1
        comparison.check(points[::every])
        comparison.check(inside[::every])
        comparison.check(generated)
        pool = rng.sample(texts, min(len(texts), 3000)) + generated[:3000]
        for max_length in (3, 4, 5, 8, 13, 32, 128) if long else (3, 4, 13):
            count = 3000 if long else 300
            comparison.check(rng.sample(pool, count), max_length)
            comparison.check(list(zip(rng.sample(pool, count), rng.sample(pool, count))),
                             max_length)
        differences += comparison.finish()
    vocab = made_vocabulary(work)
    rng = random.Random(3)
    for i in range({"short": 15, "wide": 40, "long": 200}[level]):
        reference = with_added_tokens(vocab, rng)
        name = f"added tokens {i}"
        if only not in name:
            continue
        comparison = Comparison(driver, name, from_json(work, name, reference), reference)
        comparison.check(added_token_texts(3000 if long else 1000, seed=i))
        differences += comparison.finish()
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--driver", type=pathlib.Path,
                        default=ROOT / "build/dev/tests/parity/tokenizer_driver")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(
        os.environ.get("MILLRACE_TEST_DATA", ROOT.parent / "shared")) / "data")
    parser.add_argument("--long", dest="level", action="store_const", const="long",
                        default="short")
    parser.add_argument("--wide", dest="level", action="store_const", const="wide")
    parser.add_argument("--only", default="", help="comparisons whose name holds this")
    options = parser.parse_args()
    started = time.time()
    data = options.data if (options.data / "tokenizer").is_dir() else None
    with tempfile.TemporaryDirectory() as work:
        differences = check_all(options.driver, data, pathlib.Path(work), options.level,
                                options.only)
    print(f"{differences} differences in {time.time() - started:.0f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
