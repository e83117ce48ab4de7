"""Bad input of every kind: one clear message that names object, record and cause, the exit status
of the specification, no output for that object, nothing left behind, the other objects' outputs
there."""
import ctypes
import json
import os
import resource
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cli import files_in, json_lines, write
from tiny_model import make_tiny_model

GOOD = json_lines({"inputs": text} for text in ("great app", "I hate it", "ok"))

BAD_JSON_RECORDS = {
    "invalid_json": ('{"inputs": "x"', ["JSON"]),
    "missing_inputs": ('{"text": "x"}', ["inputs"]),
    "unknown_parameter": ('{"inputs": "x", "parameters": {"topk": 2}}', ["topk"]),
    "bad_parameter": ('{"inputs": "x", "parameters": {"top_k": "two"}}', ["top_k"]),
    "invalid_utf8": (b'{"inputs": "caf\xe9"}', ["UTF-8"]),
    "deep": ("[" * 100_000 + "]" * 100_000, []),
    "deep_object": ('{"inputs":' * 100_000 + "1" + "}" * 100_000, []),
    "number": ("17", ["number"]),
    "inputs_number": ('{"inputs": 17}', ["inputs"]),
}


def check_one_bad_object(cli, model, tmp_path, name, content, words, *flags, record=None):
    """Three objects, the middle one bad: its error is told, the others are answered. `record`
    counts from 0, messages from 1."""
    source, target = tmp_path / "in", tmp_path / "out"
    suffix = name.rsplit(".", 1)[1]
    good = {"jsonl": GOOD, "csv": '"great app"\n', "txt": "ok\n"}[suffix]
    write(source / f"a.{suffix}", good)
    write(source / name, content)
    write(source / f"z.{suffix}", good)
    run = cli.transform(model, source, target, *flags, exit_status=1)
    assert sorted(files_in(target)) == [f"a.{suffix}.out", f"z.{suffix}.out"]
    assert files_in(target)[f"a.{suffix}.out"] == files_in(target)[f"z.{suffix}.out"]
    told = [line for line in run.stderr.splitlines() if name in line]
    assert told, run.stderr
    message = "\n".join(told)
    for word in words:
        assert word in message, message
    if record is not None:
        assert f"record {record + 1} (" in message, message
    assert len(message) < 1000, "a message, not a dump"
    summary = run.summary
    assert summary["status"] == "Failed"
    assert (summary["objects"], summary["failed_objects"]) == (3, 1)
    return message


@pytest.mark.parametrize("kind", BAD_JSON_RECORDS)
def test_a_bad_record_fails_its_object_only(cli, tiny_model, tmp_path, kind):
    bad, words = BAD_JSON_RECORDS[kind]
    bad = bad if isinstance(bad, bytes) else bad.encode()
    content = GOOD.encode() * 3 + bad + b"\n" + GOOD.encode()
    check_one_bad_object(cli, tiny_model, tmp_path, "m.jsonl", content, words, record=9)


@pytest.mark.parametrize("kind", ["invalid_json", "missing_inputs", "deep"])
def test_a_bad_record_is_the_same_alone_in_its_request(cli, tiny_model, tmp_path, kind):
    bad, words = BAD_JSON_RECORDS[kind]
    check_one_bad_object(cli, tiny_model, tmp_path, "m.jsonl", GOOD + bad + "\n" + GOOD, words,
                         "--batch-strategy", "SingleRecord", record=3)


def test_the_first_of_several_bad_records_is_named(cli, tiny_model, tmp_path):
    content = "".join("{}\n" if i in (700, 1300, 4000) else '{"inputs":"ok"}\n'
                      for i in range(5000))
    check_one_bad_object(cli, tiny_model, tmp_path, "m.jsonl", content, ["inputs"],
                         "--part-bytes", "2000", record=700)


def test_joins_name_what_is_not_json(cli, tiny_model, tmp_path):
    check_one_bad_object(cli, tiny_model, tmp_path, "m.jsonl", GOOD + "{'inputs': 1}\n", ["JSON"],
                         "--join-source", "Input", record=3)


def test_csv_columns_are_never_guessed(cli, tiny_model, tmp_path):
    message = check_one_bad_object(cli, tiny_model, tmp_path, "m.csv",
                                   "17,great app,5\n18,I hate it,1\n", ["great app"], record=0)
    assert "text-column" in message or "TEXT_COLUMN" in message
    assert "0" in message and "1" in message and "2" in message, "fields with their indexes"


def test_a_missing_text_column_fails_that_object(cli, tiny_model, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    write(source / "a.csv", "id,text\n1,ok\n")
    write(source / "b.csv", "id,review\n1,ok\n")
    run = cli.transform(tiny_model, source, target, "--csv-header", "--text-column", "text",
                        exit_status=1)
    assert list(files_in(target)) == ["a.csv.out"]
    assert any("b.csv" in line and "'text'" in line and "review" in line
               for line in run.stderr.splitlines()), run.stderr


def test_an_unbalanced_quote_names_its_record(cli, tiny_model, tmp_path):
    check_one_bad_object(cli, tiny_model, tmp_path, "m.csv", 'ok\nok\n"never closed\nok\n',
                         ["quote"])


def test_an_unbalanced_quote_in_line_mode_names_the_cure(cli, tiny_model, tmp_path):
    message = check_one_bad_object(cli, tiny_model, tmp_path, "m.csv", 'ok\n"two\nlines"\n',
                                   ["quote"], "--csv", "line", record=1)
    assert "rfc4180" in message


def test_a_record_larger_than_the_payload(cli, tiny_model, tmp_path):
    content = "ok\nok\n" + "great " * 200_000 + "\nok\n"
    message = check_one_bad_object(cli, tiny_model, tmp_path, "m.txt", content, ["1048576"],
                                   "--max-payload-in-mb", "1", record=2)
    assert "1200001" in message, "both sizes"


def test_an_object_larger_than_the_payload_that_cannot_be_cut(cli, tiny_model, tmp_path):
    source = write(tmp_path / "big.json", '{"inputs": "' + "great " * 200_000 + '"}')
    run = cli.transform(tiny_model, source, tmp_path / "out", "--max-payload-in-mb", "1",
                        exit_status=1)
    assert "big.json" in run.stderr and "1048576" in run.stderr
    assert not files_in(tmp_path / "out")


def obey_permissions():
    """Root reads everything, but for a process that may not be given those capabilities."""
    drop_from_bounding_set, may_override, may_read_and_search = 24, 1, 2
    prctl = ctypes.CDLL(None).prctl
    for capability in (may_override, may_read_and_search):
        prctl(drop_from_bounding_set, capability, 0, 0, 0)


@pytest.mark.parametrize("unreadable", ["b.txt", "sub"])
def test_what_cannot_be_read_fails_alone(cli, tiny_model, tmp_path, unreadable):
    source = tmp_path / "in"
    for name in ("a.txt", "b.txt", "sub/c.txt"):
        write(source / name, "ok\n")
    (source / unreadable).chmod(0)
    run = cli.transform(tiny_model, source, tmp_path / "out", exit_status=1,
                        preexec=obey_permissions)
    (source / unreadable).chmod(0o700)
    assert len(files_in(tmp_path / "out")) == 2 and run.summary["failed_objects"] == 1
    assert unreadable in run.stderr and "Permission denied" in run.stderr


def test_fifos_and_symlink_loops_are_told_and_the_rest_goes_on(cli, tiny_model, tmp_path):
    source = tmp_path / "in"
    write(source / "a.txt", "ok\n")
    os.mkfifo(source / "pipe.txt")
    (source / "loop.txt").symlink_to("loop.txt")
    (source / "sub").mkdir()
    (source / "sub" / "up.txt").symlink_to("..")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--content-type", "text/plain",
                        "--split-type", "Line", "--assemble-with", "Line", exit_status=1)
    assert list(files_in(tmp_path / "out")) == ["a.txt.out"]
    for name in ("pipe.txt", "loop.txt", "sub/up.txt"):
        assert any(name in line for line in run.stderr.splitlines()), run.stderr


def test_a_fifo_named_as_the_input_is_refused_at_once(cli, tiny_model, tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    run = cli.transform(tiny_model, tmp_path / "pipe.txt", tmp_path / "out", exit_status=None)
    assert run.exit_status in (1, 2) and "pipe.txt" in run.stderr


@pytest.mark.parametrize("target", ["in/a.txt", "in/./a.txt", "link.txt"])
def test_output_equal_to_input_is_refused(cli, tiny_model, tmp_path, target):
    source = write(tmp_path / "in" / "a.txt", "ok\n")
    (tmp_path / "link.txt").symlink_to(source)
    for flags in ([], ["--if-exists", "overwrite"]):
        run = cli.transform(tiny_model, source, tmp_path / target, *flags, exit_status=2)
        assert "the output is the input" in run.stderr
        assert source.read_text() == "ok\n"


def test_an_output_that_exists_is_not_replaced(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "ok\n")
    cli.transform(tiny_model, source, tmp_path / "out")
    write(tmp_path / "out" / "a.txt.out", "precious")
    run = cli.transform(tiny_model, source, tmp_path / "out", exit_status=2)
    assert "a.txt.out" in run.stderr
    assert files_in(tmp_path / "out") == {"a.txt.out": b"precious"}
    cli.transform(tiny_model, source, tmp_path / "out", "--if-exists", "overwrite")
    assert files_in(tmp_path / "out")["a.txt.out"] != b"precious"


def test_a_full_disk_leaves_nothing(cli, tiny_model, tmp_path):
    source = tmp_path / "in"
    write(source / "a.txt", "ok\n")
    write(source / "b.txt", "great app\n" * 40_000)
    limit = 100_000

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = cli.transform(tiny_model, source, tmp_path / "out", exit_status=1, preexec=small_files)
    assert list(files_in(tmp_path / "out")) == ["a.txt.out"]
    assert "b.txt" in run.stderr and "File too large" in run.stderr


def test_dev_full_as_output_is_told(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "ok\n")
    run = cli.transform(tiny_model, source, "/dev/full", exit_status=None)
    assert run.exit_status in (1, 2) and run.stderr


def broken_model(tmp_path, break_it):
    folder = make_tiny_model(tmp_path / "model")
    break_it(folder)
    return folder


def edit_tensors(change):
    def edit(folder):
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return edit


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def set_config(name, value):
    def edit(folder):
        config = json.loads((folder / "config.json").read_text()) | {name: value}
        (folder / "config.json").write_text(json.dumps(config))
    return edit


def spoil_number(tensors):
    tensors["classifier.bias"] = np.array([np.nan, 0], np.float32)


LIN1 = "distilbert.transformer.layer.1.ffn.lin1.weight"
BROKEN_MODELS = {
    "missing_tensor": (edit_tensors(lambda t: t.pop(LIN1)), LIN1),
    "extra_tensor": (edit_tensors(lambda t: t.update(more=np.zeros(3, np.float32))), "more"),
    "misshapen_tensor": (edit_tensors(lambda t: t.update({LIN1: t[LIN1].T.copy()})), LIN1),
    "wrong_dtype": (edit_tensors(lambda t: t.update({LIN1: t[LIN1].astype(np.int32)})), LIN1),
    "not_a_number": (edit_tensors(spoil_number), "classifier.bias"),
    "truncated_file": (truncate, "model.safetensors"),
    "no_weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
    "no_config": (lambda f: (f / "config.json").unlink(), "config.json"),
    "broken_config": (lambda f: (f / "config.json").write_text("{"), "config.json"),
    "no_vocabulary": (lambda f: (f / "vocab.txt").unlink(), "vocab.txt"),
    "short_vocabulary": (lambda f: (f / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n"),
                         "vocab"),
    "other_architecture": (set_config("architectures", ["GPT2LMHeadModel"]), "GPT2LMHeadModel"),
}


@pytest.mark.parametrize("kind", BROKEN_MODELS)
def test_a_broken_model_is_refused_by_name(cli, tmp_path, kind):
    break_it, name = BROKEN_MODELS[kind]
    model = broken_model(tmp_path, break_it)
    source = write(tmp_path / "a.txt", "ok\n")
    run = cli.transform(model, source, tmp_path / "out", exit_status=2)
    assert name in run.stderr, run.stderr
    assert not (tmp_path / "out").exists() or not files_in(tmp_path / "out")
    if kind != "no_vocabulary":  # `inspect` reads no text
        assert cli.run("model", "inspect", model, exit_status=None).exit_status != 0


def test_no_input_starts_nothing(cli, tiny_model, tmp_path):
    (tmp_path / "empty").mkdir()
    for source in ("empty", "missing.txt", "missing/"):
        run = cli.transform(tiny_model, tmp_path / source, tmp_path / "out", exit_status=2)
        assert source.rstrip("/") in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_job_that_failed_says_where_its_work_area_lies(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", "{}\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--work-dir", tmp_path / "work",
                        exit_status=1)
    kept = [path for path in (tmp_path / "work").iterdir() if path.is_dir()]
    assert len(kept) == 1 and str(kept[0]) in run.stderr
    shutil.rmtree(kept[0])


@pytest.mark.parametrize("flag,value", [("--accept", "image/png"), ("--content-type", "image/png")])
def test_types_that_the_model_does_not_have_start_nothing(cli, tiny_model, tmp_path, flag, value):
    source = write(tmp_path / "in.jsonl", json_lines([{"inputs": "good"}]))
    run = cli.transform(tiny_model, source, tmp_path / "out", flag, value, "--on-record-error",
                        "record", exit_status=2)
    assert value in run.stderr and not (tmp_path / "out").exists()


def test_texts_that_are_not_utf8_are_told(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "good\nbad\n".encode("utf-16"))
    run = cli.transform(tiny_model, source, tmp_path / "out.csv")
    assert "not UTF-8" in run.stderr and "--encoding" in run.stderr
