"""Models and texts at the edges of arithmetic: correct, or refused by name, in every precision and
on every instruction set that this machine has."""
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cli import files_in, json_lines, write
from tiny_model import WORDS, make_tiny_model

PRECISIONS = ["fp32", "bf16", "int8"]
ISAS = ["reference", "avx2", "avx2_vnni", "avx512", "avx512_vnni", ""]
LAYER = "distilbert.transformer.layer.0."


def texts_of_every_length():
    """0, 1, 2 tokens beside the special ones, the model's maximum and one more, and between."""
    return ["", "good", "very good"] + [" ".join(WORDS[i % len(WORDS)] for i in range(n))
                                        for n in (7, 64, 253, 508, 509, 510, 511, 2000)]


@pytest.fixture(params=PRECISIONS)
def precision(request, cli, tiny_model, tmp_path):
    run = cli.transform(tiny_model, write(tmp_path / "probe.txt", "ok\n"), tmp_path / "probe",
                        "--precision", request.param, exit_status=None)
    if run.exit_status != 0 or run.summary["precision"] != request.param:
        pytest.skip(f"{request.param} is not to be had here: {run.stderr.strip()[-200:]}")
    return request.param


def edited(folder, tmp_path, name, change):
    """A copy of a model with other tensors."""
    copy = tmp_path / name
    shutil.copytree(folder, copy)
    tensors = {key: tensor.copy() for key, tensor in load_file(copy / "model.safetensors").items()}
    change(tensors)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


def answers(cli, model, tmp_path, precision, texts, isa="", exit_status=0):
    """(logits of each text, run)."""
    out = tmp_path / f"out-{model.name}-{precision}-{isa}"
    source = write(tmp_path / "in.jsonl", json_lines({"inputs": t} for t in texts))
    run = cli.transform(model, source, out, "--output-shape", "logits", "--precision", precision,
                        "--if-exists", "overwrite",
                        env={"MILLRACE_ISA": isa} if isa else None, exit_status=exit_status)
    lines = files_in(out).get("in.jsonl.out", b"").decode().splitlines()
    return [list(json.loads(line).values()) for line in lines], run


def same_on_every_isa(cli, model, tmp_path, precision, texts):
    """The logits, after seeing that every instruction set gives the same (bf16: that each gives
    one answer a text)."""
    expected, _ = answers(cli, model, tmp_path, precision, texts)
    assert len(expected) == len(texts) and np.isfinite(expected).all()
    for isa in ISAS[:-1]:
        logits, run = answers(cli, model, tmp_path, precision, texts, isa, exit_status=None)
        if run.exit_status == 2 and "instruction set" in run.stderr:
            continue  # this CPU has it not
        assert run.exit_status == 0, run.stderr
        assert len(logits) == len(texts)
        if precision != "bf16":
            assert logits == expected, isa
    return expected


def test_texts_of_every_length(cli, tiny_model, tmp_path, precision):
    texts = texts_of_every_length()
    logits = same_on_every_isa(cli, tiny_model, tmp_path, precision, texts)
    assert logits[-3] != logits[-4], "510 words fill the model, 509 do not"
    _, run = answers(cli, tiny_model, tmp_path, precision, texts)
    assert run.summary["truncated"] == 2 and run.summary["empty"] == 1


@pytest.mark.parametrize("hidden", [4, 20, 36, 44, 68])
def test_widths_that_are_no_multiple_of_a_vector(cli, tmp_path, precision, hidden):
    model = make_tiny_model(tmp_path / f"odd{hidden}", hidden=hidden, labels=("A", "B", "C"))
    logits = same_on_every_isa(cli, model, tmp_path, precision, texts_of_every_length()[:6])
    # What the precision may change: little beside what texts do.
    exact, _ = answers(cli, model, tmp_path, "fp32", texts_of_every_length()[:6])
    assert np.abs(np.array(logits) - exact).max() < 0.3 * np.ptp(exact)


def test_a_channel_of_zeros_gives_nothing_to_the_next_layer(cli, tiny_model, tmp_path, precision):
    def silence(tensors):
        tensors[LAYER + "ffn.lin1.weight"][5] = 0
        tensors[LAYER + "ffn.lin1.bias"][5] = 0

    def silence_and_listen(tensors):
        silence(tensors)
        # No larger than what stands there, so that no scale of a quantised channel changes.
        tensors[LAYER + "ffn.lin2.weight"][:, 5] *= -0.5

    texts = texts_of_every_length()[:6]
    silent = edited(tiny_model, tmp_path, "silent", silence)
    logits = same_on_every_isa(cli, silent, tmp_path, precision, texts)
    listening = edited(tiny_model, tmp_path, "listening", silence_and_listen)
    if precision != "int8":
        assert answers(cli, listening, tmp_path, precision, texts)[0] == logits
    plain, _ = answers(cli, tiny_model, tmp_path, precision, texts)
    assert plain != logits


@pytest.mark.parametrize("name", ["ffn.lin1.weight", "attention.q_lin.weight",
                                  "attention.v_lin.weight", "ffn.lin2.weight"])
def test_a_layer_of_zeros_is_computed(cli, tiny_model, tmp_path, precision, name):
    model = edited(tiny_model, tmp_path, "zeros", lambda t: t[LAYER + name].fill(0))
    same_on_every_isa(cli, model, tmp_path, precision, texts_of_every_length()[:5])


@pytest.mark.parametrize("isa", ISAS)
def test_activations_that_overflow_are_told_with_the_record(cli, tiny_model, tmp_path, precision,
                                                           isa):
    def blow_up(tensors):
        for layer in ("0", "1"):
            for name in ("ffn.lin1.weight", "ffn.lin2.weight"):
                tensors[f"distilbert.transformer.layer.{layer}.{name}"] *= np.float32(1e36)

    model = edited(tiny_model, tmp_path, "blown", blow_up)
    logits, run = answers(cli, model, tmp_path, precision, ["good", "bad app"], isa,
                          exit_status=None)
    if run.exit_status == 2 and "instruction set" in run.stderr:
        pytest.skip(f"this CPU has no {isa}")
    assert run.exit_status == 1 and not logits
    assert "record 1 " in run.stderr and "not a number" in run.stderr


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [LAYER + "ffn.lin1.weight", LAYER + "attention.q_lin.bias",
                                  "distilbert.embeddings.LayerNorm.weight",
                                  "distilbert.embeddings.word_embeddings.weight"])
def test_weights_that_are_no_numbers_are_refused_by_name(cli, tiny_model, tmp_path, precision,
                                                         name, value):
    def spoil(tensors):
        tensors[name].flat[-1] = value

    model = edited(tiny_model, tmp_path, "spoilt", spoil)
    _, run = answers(cli, model, tmp_path, precision, ["good"], exit_status=2)
    assert name in run.stderr
