"""--result-cache: a re-run over grown data computes only what is new and says the same; damage,
kills, a full disk and a second job beside it change nothing but what is computed again."""
import os
import random
import resource
import signal
import threading
import time

import pytest

from cli import files_in, json_lines, write
from tiny_model import WORDS


def texts(begin, end):
    words = [WORDS[(7 * i) % len(WORDS)] for i in range(40)]
    return [f"{' '.join(words[:i % 30])} {' '.join(str(i))}" for i in range(begin, end)]


def job(cli, model, folder, name, lines, *flags, cache=True, **options):
    source = write(folder / f"{name}.jsonl", json_lines({"inputs": t} for t in lines))
    out = folder / f"out-{name}"
    if cache:
        flags = ("--result-cache", folder / "cache", *flags)
    run = cli.transform(model, source, out, *flags, **options)
    return run, files_in(out).get(f"{name}.jsonl.out")


def segments(folder):
    return sorted((folder / "cache").glob("*/*.results"))


def test_a_rerun_over_grown_data_computes_only_what_is_new(cli, tiny_model, tmp_path):
    old = texts(0, 300)
    first, _ = job(cli, tiny_model, tmp_path, "first", old)
    assert first.summary["cached"] == 0
    grown = old + texts(300, 330)
    random.Random(1).shuffle(grown)
    again, output = job(cli, tiny_model, tmp_path, "again", grown)
    assert again.summary["cached"] == 300
    assert again.summary["records"] == 330
    assert again.summary["startup_seconds"] > 0
    plain, expected = job(cli, tiny_model, tmp_path, "again2", grown, cache=False)
    assert plain.summary["cached"] == 0
    assert output == expected


def test_other_thresholds_and_output_forms_take_the_same_results(cli, tiny_model, tmp_path):
    lines = texts(0, 100)
    job(cli, tiny_model, tmp_path, "first", lines)
    for number, flags in enumerate([
            ["--thresholds", '{"NEGATIVE":0.2}'], ["--output-shape", "logits"],
            ["--output-shape", "columns", "--join-source", "Input"], ["--accept", "text/csv"]]):
        if "--accept" in flags:
            flags = ["--accept", "text/csv", "--assemble-with", "Line"]
        run, output = job(cli, tiny_model, tmp_path, f"form{number}", lines, *flags)
        assert run.summary["cached"] == 100
        _, expected = job(cli, tiny_model, tmp_path, f"plain{number}", lines, *flags, cache=False)
        assert output == expected


def test_two_jobs_share_a_folder(cli, tiny_model, tmp_path):
    lines = [texts(0, 400), texts(200, 600)]
    runs = [None, None]

    def work(i):
        runs[i] = job(cli, tiny_model, tmp_path, f"job{i}", lines[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, (_, output) in enumerate(runs):
        _, expected = job(cli, tiny_model, tmp_path, f"plain{i}", lines[i], cache=False)
        assert output == expected
    again, _ = job(cli, tiny_model, tmp_path, "again", texts(0, 600))
    assert again.summary["cached"] == 600


def test_a_killed_job_leaves_what_it_computed(cli, tiny_model, tmp_path):
    lines = texts(0, 3000)
    source = write(tmp_path / "big.jsonl", json_lines({"inputs": t} for t in lines * 20))
    process = cli.start("transform", "--model", tiny_model, "--input", source, "--output",
                        tmp_path / "out", "--result-cache", tmp_path / "cache", "--threads", "1")
    while process.poll() is None and not any(s.stat().st_size > 4000 for s in segments(tmp_path)):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    again, output = job(cli, tiny_model, tmp_path, "again", lines)
    assert again.summary["cached"] > 0
    _, expected = job(cli, tiny_model, tmp_path, "plain", lines, cache=False)
    assert output == expected


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "foreign"])
def test_damage_is_computed_again(cli, tiny_model, tmp_path, damage):
    lines = texts(0, 200)
    _, expected = job(cli, tiny_model, tmp_path, "first", lines)
    segment, = segments(tmp_path)
    content = bytearray(segment.read_bytes())
    if damage == "flipped":
        for i in range(100, len(content), 997):
            content[i] ^= 0x10
    segment.write_bytes({"cut": content[:len(content) // 2 + 1], "flipped": content,
                         "emptied": b"", "foreign": os.urandom(5000)}[damage])
    again, output = job(cli, tiny_model, tmp_path, "again", lines)
    assert output == expected
    assert again.summary["cached"] < 200
    whole, output = job(cli, tiny_model, tmp_path, "whole", lines)
    assert output == expected
    assert whole.summary["cached"] == 200


def test_a_folder_that_cannot_be_made_is_refused_before_anything_starts(cli, tiny_model, tmp_path):
    write(tmp_path / "cache", "a file")
    run, output = job(cli, tiny_model, tmp_path, "first", texts(0, 3), exit_status=2)
    assert "--result-cache" in run.stderr and str(tmp_path / "cache") in run.stderr
    assert output is None


def test_a_folder_among_the_inputs_or_outputs_is_refused(cli, tiny_model, tmp_path):
    write(tmp_path / "in" / "a.jsonl", json_lines([{"inputs": "good"}]))
    for place in ["in", "out"]:
        run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--result-cache",
                            tmp_path / place / "cache", exit_status=2)
        assert "--result-cache" in run.stderr and "below the" in run.stderr


def test_a_folder_that_can_no_longer_be_written_is_told_and_fails_nothing(cli, tiny_model,
                                                                         tmp_path):
    (tmp_path / "cache" / "lock").mkdir(parents=True)
    lines = texts(0, 50)
    run, output = job(cli, tiny_model, tmp_path, "first", lines)
    assert run.summary["status"] == "Completed"
    assert "new results are not kept in the result cache" in run.stderr
    _, expected = job(cli, tiny_model, tmp_path, "plain", lines, cache=False)
    assert output == expected


def test_a_full_disk_is_told_and_fails_nothing(cli, tiny_model, tmp_path):
    """The limit on a file's size stands in for it: outputs stay below, the cache does not."""
    lines = texts(0, 3000)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    flags = ["--output-shape", "logits", "--score-digits", "1"]
    _, expected = job(cli, tiny_model, tmp_path, "plain", lines, *flags, cache=False)
    size = len(expected) + 4096
    run, output = job(cli, tiny_model, tmp_path, "first", lines, *flags, preexec=limit)
    assert "new results are not kept in the result cache" in run.stderr
    assert output == expected
    again, output = job(cli, tiny_model, tmp_path, "again", lines, *flags)
    assert 0 < again.summary["cached"] < 3000
    assert output == expected


def test_the_bound_is_kept(cli, tiny_model, tmp_path):
    bound = 16 << 20
    run, _ = job(cli, tiny_model, tmp_path, "small", ["good"], "--result-cache-bytes", bound - 1,
                 exit_status=2)
    assert "--result-cache-bytes" in run.stderr
    filler = tmp_path / "cache" / "another-model"
    for i in range(1, 18):
        write(filler / f"{i:08}.results", bytes(1 << 20))
    job(cli, tiny_model, tmp_path, "first", texts(0, 100), "--result-cache-bytes", bound)
    assert sum(s.stat().st_size for s in segments(tmp_path)) <= bound
    again, _ = job(cli, tiny_model, tmp_path, "again", texts(0, 100))
    assert again.summary["cached"] == 100


def test_a_bucket_is_no_folder(cli, tiny_model, tmp_path):
    run = cli.transform(tiny_model, write(tmp_path / "a.txt", "good\n"), tmp_path / "out",
                        "--result-cache", "s3://bucket/cache", exit_status=2)
    assert "--result-cache: 's3://bucket/cache' is not allowed" in run.stderr
