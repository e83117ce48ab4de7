"""Memory does not grow with the data: the peak of the process, as the kernel counts it. The short
form runs with every test; the long one, with the sizes of real life, by MILLRACE_LONG_TESTS=1."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import files_in, write

LONG = os.environ.get("MILLRACE_LONG_TESTS") == "1"
MIB = 1 << 20


def peak_of(cli, tmp_path, *arguments, exit_status=0):
    """Runs the program to its end; returns its peak of resident memory in MiB, and its stderr.

    The peak is read while it runs: what wait4() tells counts this process's own memory, too."""
    with open(tmp_path / "stderr", "wb") as stderr, open(tmp_path / "stdout", "wb") as stdout:
        process = subprocess.Popen(
            [str(cli.program), "transform", "--threads", "2", *map(str, arguments)],
            env=cli.environment(), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
        peak = 0
        while process.poll() is None:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            high = [line for line in status.splitlines() if line.startswith("VmHWM:")]
            peak = int(high[0].split()[1]) / 1024 if high else peak
            time.sleep(0.02)
    told = (tmp_path / "stderr").read_text(errors="replace")
    assert process.returncode == exit_status, told
    print(f"peak {peak:.0f} MiB")
    return peak, told


def big_lines(path, total_bytes, line_bytes):
    """JSON Lines with a little text and much beside it."""
    count = total_bytes // line_bytes
    pad = "x" * (line_bytes - 60)
    with open(path, "w") as file:
        for i in range(count):
            file.write(json.dumps({"id": i, "inputs": f"great app {i % 50}", "pad": pad}) + "\n")
    return count


def test_one_large_object(cli, tiny_model, tmp_path):
    """Short: 64 and 192 MiB; long: 64 MiB and 5 GB. The peak stays."""
    peaks = []
    for size in ((64 * MIB, 5000 * MIB) if LONG else (64 * MIB, 192 * MIB)):
        source = tmp_path / f"{size}.jsonl"
        records = big_lines(source, size, 20_000)
        peak, _ = peak_of(cli, tmp_path, "--model", tiny_model, "--input", source,
                          "--output", tmp_path / "out", "--join-source", "Input",
                          "--output-compression", "zstd")
        summary = json.loads((tmp_path / "stdout").read_text().splitlines()[-1])
        assert summary["records"] == records
        peaks.append(peak)
        source.unlink()
        shutil.rmtree(tmp_path / "out")
    assert peaks[1] < 400 and peaks[1] < peaks[0] + 100, peaks


def test_a_record_as_large_as_a_record_may_be(cli, tiny_model, tmp_path):
    """100 MB, the largest that MaxPayloadInMB allows: it and its result are held, a few times."""
    size = 99 if LONG else 25
    line = json.dumps({"inputs": "great app", "pad": "x" * (size * MIB)})
    source = write(tmp_path / "in.jsonl", (line + "\n") * 2)
    peak, _ = peak_of(cli, tmp_path, "--model", tiny_model, "--input", source, "--output",
                      tmp_path / "out", "--join-source", "Input", "--max-payload-in-mb", "100")
    assert peak < 150 + 12 * size, "twelve times what a record takes, beside the program itself"
    lines = (tmp_path / "out" / "in.jsonl.out").read_text().splitlines()
    assert [len(json.loads(line)["pad"]) for line in lines] == [size * MIB] * 2


@pytest.mark.parametrize("name, flags", [("a.jsonl", []), ("a.csv", ["--text-column", "0"]),
                                         ("quoted.csv", ["--text-column", "0"]), ("a.txt", [])])
def test_a_line_without_end_is_refused(cli, tiny_model, tmp_path, name, flags):
    """Not read whole: no more is held than the largest record may have."""
    size = (2000 if LONG else 300) * MIB
    with open(tmp_path / name, "wb") as file:
        file.write(b'"' if name == "quoted.csv" else b"x")
        if name == "quoted.csv":
            for _ in range(size // (1 * MIB)):
                file.write(b"line\n" * (MIB // 5))
        else:
            for _ in range(size // MIB):
                file.write(b"y" * MIB)
    peak, told = peak_of(cli, tmp_path, "--model", tiny_model, "--input", tmp_path / name,
                         "--output", tmp_path / "out", *flags, exit_status=1)
    assert "record 1 (byte 0): the record at byte 0 is larger than 104857600 bytes" in told
    assert peak < 500 and not (tmp_path / "out").exists()


def test_a_parquet_row_group_larger_than_what_is_held(cli, parquet, tiny_model, tmp_path):
    """One row group with a column that does not compress: 250 MiB; long: 3 GiB."""
    rows, width, rows_at_a_time = 24_000 if LONG else 2_000, 128 * 1024, 1_000
    block = np.random.default_rng(1).bytes(width + rows)
    batches = [pa.record_batch({
        "text": pa.array([f"great app {i % 50}" for i in range(at, at + rows_at_a_time)]),
        "payload": pa.array([block[i:i + width] for i in range(at, at + rows_at_a_time)])})
        for at in range(0, rows, rows_at_a_time)]
    source = tmp_path / "wide.parquet"
    pq.write_table(pa.Table.from_batches(batches), source, row_group_size=rows,
                   compression="NONE", use_dictionary=False, write_batch_size=8)
    del batches
    assert pq.ParquetFile(source).num_row_groups == 1
    peak, _ = peak_of(cli, tmp_path, "--model", tiny_model, "--input", source, "--output",
                      tmp_path / "out.parquet", "--text-column", "text")
    out = pq.ParquetFile(tmp_path / "out.parquet")
    assert out.metadata.num_rows == rows and out.num_row_groups > 1
    assert peak < 800, f"the row group has {source.stat().st_size / MIB:.0f} MiB"


@pytest.mark.parametrize("mebibytes", [120, 200, 300, 450, 700])
def test_too_little_memory_is_an_error_and_no_crash(cli, tiny_model, tmp_path, mebibytes):
    """Whatever it is that the limit hits first: loading, a thread, a buffer."""
    for name in ("a", "b", "c"):
        write(tmp_path / "in" / f"{name}.txt", "great app\n" * 2000)
    job = (tiny_model, tmp_path / "in", tmp_path / "out")

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * MIB, mebibytes * MIB))

    run = cli.transform(*job, preexec=limit, exit_status=None)
    assert run.exit_status in (0, 1, 2), f"it was killed: {run.exit_status}\n{run.stderr}"
    if run.exit_status != 0:
        assert "terminate called" not in run.stderr and "Traceback" not in run.stderr
        assert "memory" in run.stderr or "thread" in run.stderr, run.stderr
    assert all(len(content.splitlines()) == 2000
               for content in files_in(tmp_path / "out").values())
    cli.transform(*job, "--if-exists", "update")
    assert len(files_in(tmp_path / "out")) == 3
