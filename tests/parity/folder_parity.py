#!/usr/bin/env python3
"""Compares Millrace's tokenizer with AutoTokenizer (transformers 5) on small model folders: what
each file, setting and flag means, and which file wins. Needs `pip install transformers==5.23.0`;
without it nothing is compared and the exit status is 77 (skipped).
"""

import argparse
import itertools
import json
import os
import pathlib
import sys
import tempfile

from tokenizer_parity import ROOT, Millrace

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
try:
    from transformers import AutoTokenizer
except ImportError:
    AutoTokenizer = None

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "A", "##b", "\u00e9", "e",
              "hello", "Hello", "foo ", "x\r", "[", "]", "sep", "x", "\u4e2d", "\u4e2d\u4e2d",
              "##\u4e2d"]
TEXTS = ["a[SEP]b A \u00e9 [sep] [MASK] hello", "foo x", "\u4e2d\u4e2d", "qq QQ aqqb x  x", "",
         "zzz a", ("a b a b a b", "b b a b b")]
ODD_SEP = {"content": "x", "lstrip": True, "rstrip": False, "single_word": False,
           "normalized": True}
DECODER = {"3": {"content": "[SEP]", "lstrip": True, "rstrip": False, "single_word": False,
                 "normalized": False, "special": True},
           "50": {"content": "qq", "lstrip": False, "rstrip": False, "single_word": False,
                  "normalized": True, "special": False}}
GENERAL = {"tokenizer_class": "PreTrainedTokenizerFast"}
NO_LIMIT = 1000000000000000019884624838656


class Folders:
    def __init__(self, work):
        self.work, self.count = pathlib.Path(work), 0
        self.base = json.loads(AutoTokenizer.from_pretrained(self.make())._tokenizer.to_str())

    def make(self, config=None, special=None, tokenizer=None, model="distilbert"):
        folder = self.work / str(self.count)
        self.count += 1
        folder.mkdir()
        files = {"tokenizer_config.json": config, "special_tokens_map.json": special,
                 "tokenizer.json": tokenizer, "config.json": model and {"model_type": model}}
        for name, value in files.items():
            if value is not None:
                (folder / name).write_text(json.dumps(value))
        if tokenizer is None:
            (folder / "vocab.txt").write_bytes("".join(v + "\n" for v in VOCABULARY).encode())
        return folder

    def tokenizer(self, **changes):
        return {**json.loads(json.dumps(self.base)), **changes}


def cases(folders):
    """(folder, max_length or None)"""
    make = folders.make
    for config in (None, {"do_lower_case": False}, {"tokenize_chinese_chars": False,
                                                    "never_split": ["hello"],
                                                    "model_max_length": NO_LIMIT},
                   {"cls_token": "a", "sep_token": {"__type": "AddedToken", **ODD_SEP}},
                   {"added_tokens_decoder": DECODER, "mask_token": "hello"},
                   {"additional_special_tokens": ["qq", "b"]},
                   {"extra_special_tokens": ["qq", "b"]},
                   {"extra_special_tokens": {"w_token": "qq"}}, {"unk_token": "a"}):
        yield make(config), None
    yield make({"tokenizer_class": "BertTokenizerFast", "strip_accents": False}, model=None), None
    for special in ({"cls_token": "a", "sep_token": ODD_SEP},
                    {"cls_token": "a", "sep_token": "x", "mask_token": "hello"},
                    {"additional_special_tokens": ["qq", "b"]}):
        yield make(special=special), None
    yield make({"added_tokens_decoder": DECODER}, {"cls_token": "a"}), None
    for side, length in itertools.product(("left", "right"), (4, 5, 6, 7, 9)):
        yield make({"truncation_side": side, "model_max_length": 5}), length
    yield from tokenizer_json_cases(folders)


def tokenizer_json_cases(folders):
    make, tokenizer = folders.make, folders.tokenizer
    for lower, strip, chinese in itertools.product((True, False), (None, True, False),
                                                   (True, False)):
        yield make({"do_lower_case": lower, "strip_accents": strip,
                    "tokenize_chinese_chars": chinese, "tokenizer_class": "BertTokenizer"},
                   tokenizer=tokenizer()), None
        normalizer = {**folders.base["normalizer"], "lowercase": lower, "strip_accents": strip,
                      "handle_chinese_chars": chinese}
        yield make({**GENERAL, "do_lower_case": True},
                   tokenizer=tokenizer(normalizer=normalizer)), None
    added = folders.base["added_tokens"] + [
        {"id": 90, "content": "qq", "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": True, "special": False}]
    yield make(tokenizer=tokenizer(post_processor=None)), None
    yield make(tokenizer=tokenizer(added_tokens=[])), None
    yield make(GENERAL, tokenizer=tokenizer(added_tokens=[])), None
    yield make(tokenizer=tokenizer(added_tokens=added)), None
    yield make({"added_tokens_decoder": DECODER}, tokenizer=tokenizer(added_tokens=added)), None
    yield make(tokenizer=tokenizer(post_processor={
        "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})), None
    yield make(tokenizer=tokenizer(truncation={
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0})), 1000


def differences(driver, folder, max_length):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    options = {"truncation": True, "max_length": max_length} if max_length else {}
    millrace = Millrace(driver, folder)
    found = 0
    for text in TEXTS:
        pair = text if isinstance(text, tuple) else (text, None)
        expected = tokenizer(*[t for t in pair if t is not None], **options)
        actual = millrace.encode([pair], max_length or 1 << 30)[0]
        if (expected["input_ids"], expected.get("token_type_ids", actual[1])) != actual:
            found += 1
            files = {p.name: p.read_text()[:300] for p in folder.iterdir() if p.name != "vocab.txt"}
            print(f"{text!r}: expected {expected['input_ids']}, got {actual[0]}: {files}")
    millrace.close()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--driver", type=pathlib.Path,
                        default=ROOT / "build/dev/tests/parity/tokenizer_driver")
    options = parser.parse_args()
    if AutoTokenizer is None:
        print("skipped: no transformers")
        return 77
    with tempfile.TemporaryDirectory() as work:
        folders = list(cases(Folders(work)))
        found = sum(differences(options.driver, *case) for case in folders)
    print(f"{len(folders)} folders, {found} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
