#!/usr/bin/env python3
"""Writes src/model/unicode_tables.cc: what Hugging Face `tokenizers` believes of each character.

Its crates carry Unicode data of several ages (9.0 for decomposition, older for categories, the
newest for lower-casing and white space), so the tables are not taken from a Unicode release: the
library itself is asked, one code point at a time, through the smallest public operation that shows
the property. Run it again, with the wanted version installed, when that version changes:

    pip install tokenizers==0.23.3
    python3 tools/unicode/generate.py > src/model/unicode_tables.cc
"""

import sys
import unicodedata

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = 0x110000
BLOCK = 64  # code points that share one entry of the first stage; 64 gives the smallest sum
HANGUL = range(0xAC00, 0xAC00 + 11172)  # decomposed by arithmetic, not by table

PROBE_ID = 1
WHITE_SPACE, DROPPED, MARK, PUNCTUATION, WORD = 1, 2, 4, 8, 16


def code_points():
    return (c for c in range(CODE_POINTS) if not 0xD800 <= c <= 0xDFFF)


def bert(**flags):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**off, **flags})


def added_token_tokenizer(**flags):
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_tokens([AddedToken("~", normalized=False, **flags)])
    return tokenizer


def flags_of_all():
    """The five yes-or-no properties, as a bit set for each code point."""
    clean = bert(clean_text=True)
    strip = bert(strip_accents=True)
    nfd = normalizers.NFD()
    split = pre_tokenizers.BertPreTokenizer()
    single_word = added_token_tokenizer(single_word=True)
    left_strip = added_token_tokenizer(lstrip=True)
    flags = [0] * CODE_POINTS
    for c in code_points():
        text = chr(c)
        pieces = len(split.pre_tokenize_str("a" + text + "b"))
        bits = {1: 0, 2: WHITE_SPACE, 3: PUNCTUATION}[pieces]
        cleaned = clean.normalize_str(text)
        if cleaned == "":
            bits |= DROPPED
        # One flag serves clean text, the pre-tokenizer and added tokens that strip: they must mean
        # the same white space (clean text may drop it first).
        white_space = pieces == 2
        if cleaned == " " and not white_space or white_space and cleaned not in ("", " "):
            raise SystemExit(f"U+{c:04X}: clean text and the pre-tokenizer disagree on space")
        if (left_strip.encode("a" + text + "~").offsets[-1][0] == 1) != white_space:
            raise SystemExit(f"U+{c:04X}: added tokens and the pre-tokenizer disagree on space")
        if nfd.normalize_str(text) == text and strip.normalize_str(text) == "":
            bits |= MARK
        # An added token that wants to be a single word is not found beside a word character.
        if text != "~" and PROBE_ID not in single_word.encode("~" + text).ids:
            bits |= WORD
        flags[c] = bits
    return flags


def combining_classes():
    """Canonical combining classes as the library sorts by them: a mark is of the class of the one
    probe that NFD moves neither before nor after it."""
    nfd = normalizers.NFD()

    def swaps(first, second):
        both = "a" + first + second
        return nfd.normalize_str(both) != both

    probes = {}
    for c in code_points():
        text = chr(c)
        klass = unicodedata.combining(text)
        known = klass and (swaps(text, "\u0334") or swaps("\u0345", text))  # classes 1 and 240
        if known and klass not in probes and nfd.normalize_str(text) == text:
            probes[klass] = text
    classes = [0] * CODE_POINTS
    for c in code_points():
        text = chr(c)
        if nfd.normalize_str(text) != text:
            continue
        if not swaps(text, probes[1]) and not swaps(probes[240], text):
            continue
        same = [k for k, p in probes.items() if not swaps(text, p) and not swaps(p, text)]
        if len(same) != 1:
            raise SystemExit(f"U+{c:04X}: {len(same)} probes of its combining class")
        classes[c] = same[0]
    return classes


def mappings(normalizer, skip=()):
    """Code point -> what the normalizer makes of it, for those that it changes."""
    changed = {}
    for c in code_points():
        text = normalizer.normalize_str(chr(c))
        if text != chr(c) and c not in skip:
            changed[c] = tuple(map(ord, text))
    return changed


class Pool:
    """Code points of all mappings end to end; equal sequences share their place."""

    def __init__(self):
        self.items, self.places = [], {}

    def place(self, sequence):
        if sequence not in self.places:
            self.places[sequence] = len(self.items)
            self.items.extend(sequence)
        return self.places[sequence]


def check_hangul(nfd):
    for c in HANGUL:
        i = c - 0xAC00
        parts = [0x1100 + i // 588, 0x1161 + i % 588 // 28] + ([0x11A7 + i % 28] if i % 28 else [])
        if nfd.normalize_str(chr(c)) != "".join(map(chr, parts)):
            raise SystemExit(f"U+{c:04X}: Hangul is not decomposed by arithmetic")


def check_lowercase_is_context_free():
    for text in ("\u03a3", "A\u03a3", "A\u03a3 ", "I\u0307", "\u03a3A"):
        alone = "".join(normalizers.Lowercase().normalize_str(c) for c in text)
        if normalizers.Lowercase().normalize_str(text) != alone:
            raise SystemExit(f"lower-casing {text!r} depends on the context")


def rows(numbers):
    line, lines = "   ", []
    for number in numbers:
        item = f" {number},"
        if len(line) + len(item) > 100:
            lines.append(line)
            line = "   "
        line += item
    return "\n".join(lines + [line])


def main():
    check_hangul(normalizers.NFD())
    check_lowercase_is_context_free()
    flags, classes = flags_of_all(), combining_classes()
    decomposed = mappings(normalizers.NFD(), skip=HANGUL)
    lowered = mappings(normalizers.Lowercase())

    pool, records, numbers = Pool(), [], {}
    blocks, first_stage = {}, []
    second_stage = []
    for start in range(0, CODE_POINTS, BLOCK):
        block = []
        for c in range(start, start + BLOCK):
            d, l = decomposed.get(c, ()), lowered.get(c, ())
            record = (flags[c], classes[c], len(d), len(l), pool.place(d) if d else 0,
                      pool.place(l) if l else 0)
            if record not in numbers:
                numbers[record] = len(records)
                records.append(record)
            block.append(numbers[record])
        block = tuple(block)
        if block not in blocks:
            blocks[block] = len(blocks)
            second_stage.extend(block)
        first_stage.append(blocks[block])
    assert len(pool.items) < 65536 and len(records) < 65536 and len(blocks) < 65536

    print("// Generated by tools/unicode/generate.py, do not edit. What Hugging Face tokenizers")
    print(f"// {tokenizers.__version__} believes about each code point; see unicode_tables.h.")
    print('#include "model/unicode_tables.h"\n')
    print("// clang-format off")
    print("namespace millrace::model::unicode {\n")
    print(f"static_assert(kBlock == {BLOCK});\n")
    print(f"const uint16_t kFirstStage[{len(first_stage)}] = {{\n{rows(first_stage)}\n}};\n")
    print(f"const uint16_t kSecondStage[] = {{\n{rows(second_stage)}\n}};\n")
    cells = ["{" + ",".join(map(str, r)) + "}" for r in records]
    print(f"const CodePoint kRecords[] = {{\n{rows(cells)}\n}};\n")
    print(f"const char32_t kPool[] = {{\n{rows(pool.items)}\n}};\n")
    print("}  // namespace millrace::model::unicode")
    print(len(records), len(blocks), len(pool.items), file=sys.stderr)


if __name__ == "__main__":
    main()
