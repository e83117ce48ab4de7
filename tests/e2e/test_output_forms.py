"""What becomes of outputs: compressed to the same bytes however the work was cut, under a suffix of
the user's choice, or merged into one object that is there whole or not at all."""
import csv
import gzip
import io
import json

import pytest

from cli import files_in, json_lines, write

LINES = json_lines({"id": i, "inputs": f"great app {i} it crashes always"} for i in range(400))
SUFFIX = {"gzip": ".gz", "zstd": ".zst"}


def decompressed(content, compression):
    if compression == "gzip":
        return gzip.decompress(content)
    import pyarrow as pa
    return pa.input_stream(pa.BufferReader(content), compression="zstd").read()


@pytest.fixture
def source(tmp_path):
    write(tmp_path / "in" / "a.jsonl", LINES)
    write(tmp_path / "in" / "b.jsonl", LINES[:0] + '{"inputs":"ok"}\n')
    return tmp_path / "in"


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compressed_outputs_are_the_same_bytes_for_all_parts_and_threads(
        cli, tiny_model, tmp_path, source, compression):
    cli.transform(tiny_model, source, tmp_path / "plain")
    plain = files_in(tmp_path / "plain")
    outputs = []
    for parts, threads in (("1000", "1"), ("7777", "3"), ("8388608", "2")):
        target = tmp_path / f"out-{parts}"
        cli.transform(tiny_model, source, target, "--output-compression", compression,
                      "--part-bytes", parts, "--threads", threads)
        outputs.append(files_in(target))
    end = ".out" + SUFFIX[compression]
    assert sorted(outputs[0]) == ["a.jsonl" + end, "b.jsonl" + end]
    assert outputs[0] == outputs[1] == outputs[2]
    for name, content in plain.items():
        packed = outputs[0][name + SUFFIX[compression]]
        assert decompressed(packed, compression) == content
    assert len(outputs[0]["a.jsonl.out" + SUFFIX[compression]]) < len(plain["a.jsonl.out"]) / 2


def test_a_named_output_keeps_its_name_and_is_compressed(cli, tiny_model, tmp_path, source):
    target = tmp_path / "labels.jsonl.gz"
    cli.transform(tiny_model, source / "b.jsonl", target, "--output-compression", "gzip")
    assert json.loads(gzip.decompress(target.read_bytes()))[0]["label"] in ("NEGATIVE", "POSITIVE")


@pytest.mark.parametrize("suffix", [".labels.jsonl", ""])
def test_the_suffix_is_the_users(cli, tiny_model, tmp_path, source, suffix):
    cli.transform(tiny_model, source, tmp_path / "out", "--output-suffix", suffix)
    assert sorted(files_in(tmp_path / "out")) == ["a.jsonl" + suffix, "b.jsonl" + suffix]


def test_what_is_no_suffix_and_no_compression_is_refused(cli, tiny_model, tmp_path, source):
    run = cli.transform(tiny_model, source, tmp_path / "out", "--output-suffix", "/x",
                        exit_status=2)
    assert "--output-suffix: '/x' is not allowed" in run.stderr
    run = cli.transform(tiny_model, source, tmp_path / "out", "--output-compression", "bzip2",
                        exit_status=2)
    assert "--output-compression: 'bzip2' is not allowed; use none|gzip|zstd" in run.stderr
    assert not (tmp_path / "out").exists()


# --- merge ---

CSV = ["--csv-header", "--text-column", "text", "--join-source", "Input"]


def table(rows, header="id,text"):
    return header + "\r\n" + "".join(f'{i},"{text}"\r\n' for i, text in rows)


def write_tables(folder):
    write(folder / "b.csv", table([(3, "two\nlines"), (4, 'a ""quote""')]))
    write(folder / "a.csv", table((i, f"great app {i}") for i in range(300)))
    write(folder / "sub/c.csv", table([(5, "ok, or not")]))
    return folder


def test_merged_tables_have_one_header_and_the_rows_in_key_order(cli, tiny_model, tmp_path):
    source = write_tables(tmp_path / "in")
    cli.transform(tiny_model, source, tmp_path / "each", *CSV)
    run = cli.transform(tiny_model, source, tmp_path / "out", *CSV, "--merge", "all.csv")
    assert run.summary["objects"] == 3 and run.summary["records"] == 303
    assert list(files_in(tmp_path / "out")) == ["all.csv"]
    each = list(files_in(tmp_path / "each").values())  # by name
    header = each[0].split(b"\n")[0] + b"\n"
    assert (tmp_path / "out/all.csv").read_bytes() == header + b"".join(
        content.removeprefix(header) for content in each)


def test_merged_bytes_do_not_depend_on_parts_and_threads(cli, tiny_model, tmp_path):
    source = write_tables(tmp_path / "in")
    outputs = set()
    for parts, threads in (("1", "1"), ("500", "3"), ("8388608", "2")):
        target = tmp_path / f"out-{parts}"
        cli.transform(tiny_model, source, target, *CSV, "--merge", "all.csv",
                      "--merge-source-column", "source", "--part-bytes", parts,
                      "--threads", threads, "--output-compression", "zstd")
        outputs.add((target / "all.csv").read_bytes())
    assert len(outputs) == 1


def test_a_source_column_names_each_rows_input(cli, tiny_model, tmp_path):
    source = write_tables(tmp_path / "in")
    cli.transform(tiny_model, source, tmp_path / "out", *CSV, "--merge", "x/all.csv",
                  "--merge-source-column", "from, where")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out/x/all.csv").read_text())))
    assert [row["from, where"] for row in rows] == ["a.csv"] * 300 + ["b.csv"] * 2 + ["sub/c.csv"]
    assert rows[300]["text"] == "two\nlines" and rows[301]["text"] == 'a "quote"'


def test_a_source_attribute_names_each_json_lines_input(cli, tiny_model, tmp_path):
    write(tmp_path / "in" / "a.jsonl", json_lines([{"id": 1, "inputs": "great app"}]))
    write(tmp_path / "in" / 'ü"1.jsonl', json_lines([{"id": 2, "inputs": "bad", "source": 7}]))
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--join-source", "Input",
                  "--merge", "all.jsonl", "--merge-source-column", "source")
    records = [json.loads(line) for line in (tmp_path / "out/all.jsonl").read_text().splitlines()]
    assert [(r["id"], r["source"]) for r in records] == [(1, "a.jsonl"), (2, 'ü"1.jsonl')]
    assert all("SageMakerOutput" in record for record in records)

    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "no", "--merge", "all.jsonl",
                        "--merge-source-column", "source", exit_status=1)
    assert "is not a JSON object, so it cannot have the attribute 'source'" in run.stderr
    assert not (tmp_path / "no").exists()


def test_a_source_attribute_needs_keys_in_utf8(cli, tiny_model, tmp_path):
    write(tmp_path / "in" / "a.jsonl", json_lines([{"inputs": "great app"}]))
    write(tmp_path / "in" / "caf\udce9.jsonl", json_lines([{"inputs": "bad"}]))
    job = (tiny_model, tmp_path / "in", tmp_path / "out", "--join-source", "Input", "--merge",
           "all.jsonl")
    run = cli.transform(*job, "--merge-source-column", "source", exit_status=2)
    assert "--merge-source-column: the key 'caf\udce9.jsonl' of an input is not UTF-8" in run.stderr
    assert not (tmp_path / "out").exists()
    assert cli.transform(*job).summary["records"] == 2


def test_merging_is_all_or_nothing_and_goes_on(cli, tiny_model, tmp_path):
    source = write_tables(tmp_path / "in")
    bad = write(source / "d.csv", "id,text\n1,\"never closed\n")
    job = (tiny_model, source, tmp_path / "out", *CSV, "--merge", "all.csv")
    run = cli.transform(*job, exit_status=1)
    assert "d.csv" in run.stderr and not (tmp_path / "out").exists()
    bad.write_text("id,text\n1,closed\n")
    run = cli.transform(*job)
    assert run.summary["records"] == 304
    assert len(list(csv.reader((tmp_path / "out/all.csv").open()))) == 305
    assert files_in(cli.work_root) == {}


def test_other_columns_cannot_be_merged(cli, tiny_model, tmp_path):
    source = write_tables(tmp_path / "in")
    write(source / "d.csv", table([(1, "ok")], header="number,text"))
    run = cli.transform(tiny_model, source, tmp_path / "out", *CSV, "--merge", "all.csv",
                        exit_status=1)
    assert "d.csv are not those of" in run.stderr and not (tmp_path / "out").exists()


def test_merge_works_on_s3_and_replaces_nothing(cli, tiny_model, tmp_path, s3_server, bucket):
    cli.extra_environment = s3_server.environment
    for name, content in files_in(write_tables(tmp_path / "in")).items():
        s3_server.put(bucket, "in/" + name, content)
    job = (tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out", *CSV, "--merge", "all.csv")
    cli.transform(*job)
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", *CSV, "--merge", "all.csv")
    assert s3_server.get(bucket, "out/all.csv") == (tmp_path / "out/all.csv").read_bytes()
    assert list(s3_server.list(bucket, "out/")) == ["out/all.csv"]
    assert s3_server.uploads(bucket) == []
    run = cli.transform(*job, exit_status=2)
    assert f"s3://{bucket}/out/all.csv exists already" in run.stderr


@pytest.mark.parametrize("name", ["../all.csv", "/all.csv", "", "a//b", "s3://b/all.csv"])
def test_a_merged_object_stays_below_the_output(cli, tiny_model, tmp_path, name):
    run = cli.transform(tiny_model, write_tables(tmp_path / "in"), tmp_path / "out", *CSV,
                        f"--merge={name}", exit_status=2)
    assert "--merge: " in run.stderr and not (tmp_path / "out").exists()
