"""The shipped model's vocabulary and first weights, both cut from the teacher.

Pieces are chosen by how often reviews and SST-2 need them; the student's layers are some of the
teacher's, its embeddings the teacher's rows. BERT's token types do not exist in DistilBERT: type
0 is always added there, so it is folded into the positions.
"""

import collections
import json
import os
import string

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification

import emoji

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# What reviews hold beside ASCII: quotes, dashes, dots, currencies, letters that no accent makes.
OTHER_CHARACTERS = ("\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u00b7\u20ac\u00a3\u20b9\u00a5"
                    "\u2122\u00b0\u00a1\u00bf\u00ab\u00bb\u0111\u00df\u00f8\u00e6\u0142")


def choose_pieces(teacher_tokenizer, weighted_texts, size):
    """The `size` pieces of the student: special ones, single characters, emoji, then the pieces
    that the texts use most. `weighted_texts` is a list of (weight of the source, its texts)."""
    known = teacher_tokenizer.get_vocab()
    chosen = dict.fromkeys(SPECIAL)
    for character in string.printable + OTHER_CHARACTERS:
        for piece in (character.lower(), "##" + character.lower()):
            if piece in known:
                chosen[piece] = None
    for character in emoji.all_emoji():
        chosen[character] = None
        chosen["##" + character] = None
    frequency = collections.Counter()
    for weight, texts in weighted_texts:
        counts = collections.Counter()
        for encoding in teacher_tokenizer.encode_batch(list(texts), add_special_tokens=False):
            counts.update(encoding.tokens)
        total = sum(counts.values())
        for piece, count in counts.items():
            frequency[piece] += weight * count / total
    for piece, _ in sorted(frequency.items(), key=lambda item: (-item[1], item[0])):
        if len(chosen) == size:
            break
        chosen[piece] = None
    # In the order of the ancestor's ids, so that the file reads like the one it came from.
    rest = [p for p in chosen if p not in SPECIAL]
    return SPECIAL + sorted(rest, key=lambda p: known.get(p, len(known)))


def build_tokenizer(pieces):
    """A `tokenizers` WordPiece tokenizer, uncased, as DistilBERT's own."""
    ids = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def piece_embeddings(pieces, teacher_vocabulary, table):
    """The teacher's rows for the pieces; a new emoji starts as the mean of its seed words."""
    rows = []
    seeds = emoji.all_emoji()
    for piece in pieces:
        if piece in teacher_vocabulary:
            rows.append(table[teacher_vocabulary[piece]])
            continue
        words = seeds[piece.removeprefix("##")].split()
        rows.append(torch.stack([table[teacher_vocabulary[word]] for word in words]).mean(0))
    return torch.stack(rows)


def strongest_neurons(source, layer, keep):
    """The `keep` feed-forward neurons of a layer with the largest weights in and out, in order."""
    prefix = f"bert.encoder.layer.{layer}."
    into = source[prefix + "intermediate.dense.weight"].float().norm(dim=1)
    out = source[prefix + "output.dense.weight"].float().norm(dim=0)
    return (into * out).topk(keep).indices.sort().values


def build_student(teacher, teacher_vocabulary, pieces, layers, hidden):
    """A DistilBERT made of the teacher's layers `layers`, its embeddings and its pooler; each layer
    keeps the `hidden` strongest neurons of its feed-forward part."""
    old = teacher.config
    config = DistilBertConfig(
        vocab_size=len(pieces), max_position_embeddings=old.max_position_embeddings,
        n_layers=len(layers), n_heads=old.num_attention_heads, dim=old.hidden_size,
        hidden_dim=hidden, activation="gelu", dropout=0.1,
        attention_dropout=0.1, seq_classif_dropout=0.1, pad_token_id=0,
        sinusoidal_pos_embds=False, id2label={0: "NEGATIVE", 1: "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1})
    student = DistilBertForSequenceClassification(config)
    source = teacher.state_dict()
    state = student.state_dict()
    embeddings = "bert.embeddings."
    state["distilbert.embeddings.word_embeddings.weight"] = piece_embeddings(
        pieces, teacher_vocabulary, source[embeddings + "word_embeddings.weight"])
    state["distilbert.embeddings.position_embeddings.weight"] = (
        source[embeddings + "position_embeddings.weight"]
        + source[embeddings + "token_type_embeddings.weight"][0])
    names = {
        "attention.q_lin": "attention.self.query", "attention.k_lin": "attention.self.key",
        "attention.v_lin": "attention.self.value", "attention.out_lin": "attention.output.dense",
        "sa_layer_norm": "attention.output.LayerNorm", "ffn.lin1": "intermediate.dense",
        "ffn.lin2": "output.dense", "output_layer_norm": "output.LayerNorm"}
    for part in ("weight", "bias"):
        state[f"distilbert.embeddings.LayerNorm.{part}"] = source[f"{embeddings}LayerNorm.{part}"]
        state[f"pre_classifier.{part}"] = source[f"bert.pooler.dense.{part}"]
        for to, from_layer in enumerate(layers):
            kept = strongest_neurons(source, from_layer, hidden)
            for new, old_name in names.items():
                tensor = source[f"bert.encoder.layer.{from_layer}.{old_name}.{part}"]
                if new == "ffn.lin1":
                    tensor = tensor[kept]
                elif new == "ffn.lin2" and part == "weight":
                    tensor = tensor[:, kept]
                state[f"distilbert.transformer.layer.{to}.{new}.{part}"] = tensor
    student.load_state_dict(state)
    return student


def export(student, tokenizer, pieces, folder):
    """Writes the model folder in Hugging Face layout, weights in F16."""
    os.makedirs(folder, exist_ok=True)
    student.half().save_pretrained(folder)
    os.chmod(os.path.join(folder, "model.safetensors"), 0o644)
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8", newline="\n") as file:
        file.writelines(piece + "\n" for piece in pieces)
    special = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]",
               "sep_token": "[SEP]", "unk_token": "[UNK]"}
    settings = {**special, "do_lower_case": True, "strip_accents": None,
                "tokenize_chinese_chars": True, "model_max_length": 512,
                "tokenizer_class": "DistilBertTokenizer"}
    for name, content in (("special_tokens_map.json", special),
                          ("tokenizer_config.json", settings)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
