"""Places and inputs that fail while a job runs: whole outputs or none, and the reason is told.

MILLRACE_LONG_TESTS=1 makes it 100,000 objects.
"""
import json
import os
import threading

import pytest

from cli import files_in, json_lines, write
from model_server import ModelServer

LONG = os.environ.get("MILLRACE_LONG_TESTS") == "1"
SPLIT = ["--assemble-with", "Line", "--batch-strategy", "SingleRecord"]


class Gate:
    """A model that stops at one record until the test has done something."""

    def __init__(self, word):
        self.word = word
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, request):
        if self.word in request.body:
            self.reached.set()
            assert self.opened.wait(30)
        return request.body


def run_and_meanwhile(cli, source, target, gate, act, *flags):
    """Runs a job; does `act` while it stands at the gate. Its exit status and stderr."""
    with ModelServer(gate) as server:
        process = cli.start("transform", "--model", server.url, "--input", source, "--output",
                            target, *SPLIT, *map(str, flags))
        try:
            assert gate.reached.wait(30)
            act()
        finally:
            gate.opened.set()
        _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr.decode()


def big(word):
    """A first block that holds the gate's record, and several blocks more."""
    return f"{word}\n".encode() + b"".join(b"%07d " % i + b"x" * 8000 + b"\n" for i in range(600))


@pytest.mark.parametrize("flags", [[], ["--part-bytes", "100000"]])
def test_an_input_that_changes_while_it_is_read_fails_alone(cli, tmp_path, flags):
    source = tmp_path / "in"
    write(source / "a.txt", big("gate"))
    write(source / "b.txt", "fine\n")

    def change():
        with open(source / "a.txt", "r+b") as file:
            file.seek(4_000_000)
            file.write(b"CHANGED")

    status, told = run_and_meanwhile(cli, source, tmp_path / "out", Gate(b"gate"), change, *flags)
    assert status == 1 and "a.txt" in told and "changed" in told
    assert files_in(tmp_path / "out") == {"b.txt.out": b"fine\n"}


def test_an_input_that_shrinks_while_it_is_read_fails_alone(cli, tmp_path):
    source = tmp_path / "in"
    write(source / "a.txt", big("gate"))
    write(source / "b.txt", "fine\n")
    status, told = run_and_meanwhile(cli, source, tmp_path / "out", Gate(b"gate"),
                                     lambda: os.truncate(source / "a.txt", 2_500_000))
    assert status == 1 and "a.txt" in told
    assert files_in(tmp_path / "out") == {"b.txt.out": b"fine\n"}


def test_an_input_that_vanishes_before_its_turn_fails_alone(cli, tmp_path):
    source = tmp_path / "in"
    write(source / "a.txt", "gate\n")
    for i in range(100):  # more than are open at one time
        write(source / f"b{i:03}.txt", "gate\n")
    write(source / "z.txt", "fine\n")
    status, told = run_and_meanwhile(cli, source, tmp_path / "out", Gate(b"gate"),
                                     (source / "z.txt").unlink)
    assert status == 1
    assert "z.txt" in told and "No such file" in told
    assert sorted(files_in(tmp_path / "out")) == sorted(
        ["a.txt.out"] + [f"b{i:03}.txt.out" for i in range(100)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_that_may_not_be_written(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "fine\n")
    (tmp_path / "out").mkdir(mode=0o555)
    run = cli.transform(tiny_model, source, tmp_path / "out", exit_status=1)
    assert "Permission denied" in run.stderr and files_in(tmp_path / "out") == {}


def test_an_output_below_a_file_or_in_proc_is_told(cli, tiny_model, tmp_path):
    """What root cannot write either."""
    source = write(tmp_path / "a.txt", "fine\n")
    write(tmp_path / "file", "x")
    run = cli.transform(tiny_model, source, tmp_path / "file/below", exit_status=None)
    assert run.exit_status in (1, 2) and "file" in run.stderr
    run = cli.transform(tiny_model, source, "/proc/millrace-out", exit_status=1)
    assert "/proc/millrace-out" in run.stderr


def test_an_output_that_vanishes_in_mid_job_is_told_and_the_next_run_goes_on(cli, tmp_path):
    import shutil
    source = tmp_path / "in"
    write(source / "a.txt", "gate\n")
    write(source / "b.txt", "fine\n")
    target = tmp_path / "out"
    status, told = run_and_meanwhile(cli, source, target, Gate(b"gate"),
                                     lambda: shutil.rmtree(target, ignore_errors=True))
    assert status in (0, 1), told
    with ModelServer() as server:
        again = cli.transform(server.url, source, target, *SPLIT, "--if-exists", "overwrite",
                              exit_status=None)
    assert again.exit_status == 0, again.stderr
    assert files_in(target) == {"a.txt.out": b"gate\n", "b.txt.out": b"fine\n"}


def test_many_small_objects(cli, tiny_model, tmp_path):
    """Short: 3,000; long: 100,000. Each has its output, and the report a line for each."""
    count = 100_000 if LONG else 3_000
    source = tmp_path / "in"
    for folder in range(0, count, 1000):
        (source / str(folder)).mkdir(parents=True)
        for i in range(folder, folder + 1000):
            name = source / str(folder) / f"{i}.jsonl"
            name.write_text(json_lines([{"inputs": f"ok {i % 9}"}]))
    run = cli.transform(tiny_model, source, tmp_path / "out", "--report", tmp_path / "report.json",
                        timeout=900 if LONG else 120)
    assert (run.summary["objects"], run.summary["records"]) == (count, count)
    outputs = files_in(tmp_path / "out")
    assert len(outputs) == count
    assert len(set(outputs.values())) == 9
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["objects"]) == count
    assert {o["state"] for o in report["objects"]} == {"Completed"}
