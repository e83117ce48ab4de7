"""A bad record costs one record: placeholders or gaps in the output, each told in an errors file,
and thresholds that fail an object. Through flags, and through a job's Environment alone."""
import csv
import io
import json

import pytest

from cli import files_in, json_lines, write

GOOD = '{"inputs": "great app"}'
BAD = {
    "invalid JSON": '{"inputs": "x"',
    "no text": '{"text": "x"}',
    "another type": "17",
    "invalid UTF-8": b'{"inputs": "caf\xe9"}',
}


def errors_of(folder, name):
    return [json.loads(line) for line in
            (folder / f"{name}.out.errors.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", BAD)
def test_the_other_records_are_answered(cli, tiny_model, tmp_path, kind):
    bad = BAD[kind] if isinstance(BAD[kind], bytes) else BAD[kind].encode()
    source = tmp_path / "in"
    good = GOOD.encode() + b"\n"
    write(source / "a.jsonl", good * 5 + bad + b"\n" + good * 2)
    write(source / "b.jsonl", good)
    run = cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record")
    assert run.summary["status"] == "Completed"
    assert (run.summary["records"], run.summary["failed_records"]) == (9, 1)
    files = files_in(tmp_path / "out")
    lines = files["a.jsonl.out"].decode().splitlines()
    assert len(lines) == 8
    assert all(json.loads(line) == json.loads(lines[0]) for line in lines[:5] + lines[6:])
    assert json.loads(lines[5])["error"]["code"] == "bad_input"
    [error] = errors_of(tmp_path / "out", "a.jsonl")
    assert error["object"].endswith("a.jsonl")
    assert (error["record_number"], error["byte_offset"]) == (6, 5 * len(good))
    assert error["cause"] == json.loads(lines[5])["error"]["message"]
    assert "record" in error or kind == "invalid UTF-8"
    assert "b.jsonl.out" in files and "b.jsonl.out.errors.jsonl" not in files


def test_drop_leaves_them_out(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", f"{GOOD}\n{{}}\n{GOOD}\n")
    cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "drop")
    assert len(files_in(tmp_path / "out")["a.jsonl.out"].splitlines()) == 2
    assert [e["record_number"] for e in errors_of(tmp_path / "out", "a.jsonl")] == [2]


def bad_every(n, count):
    return "".join("{}\n" if i % n == 0 else GOOD + "\n" for i in range(count))


def test_the_same_bytes_whatever_the_parts_threads_and_strategy(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", bad_every(7, 3000))
    seen = set()
    for i, flags in enumerate([["--part-bytes", "1000"], ["--part-bytes", "10000000"],
                               ["--threads", "1", "--part-bytes", "5000"],
                               ["--batch-strategy", "SingleRecord"]]):
        cli.transform(tiny_model, source, tmp_path / f"out{i}", "--on-record-error", "record",
                      "--join-source", "Input", *flags)
        seen.add(tuple(sorted(files_in(tmp_path / f"out{i}").items())))
    assert len(seen) == 1


@pytest.mark.parametrize("threshold, status", [("3", 0), ("2", 1), ("30%", 0), ("29%", 1)])
def test_thresholds(cli, tiny_model, tmp_path, threshold, status):
    source = tmp_path / "in"
    write(source / "a.jsonl", bad_every(4, 10))  # 3 of 10
    write(source / "b.jsonl", GOOD + "\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record",
                        "--error-threshold", threshold, exit_status=status)
    files = files_in(tmp_path / "out")
    assert ("a.jsonl.out" in files) == (status == 0) == ("a.jsonl.out.errors.jsonl" in files)
    assert "b.jsonl.out" in files
    if status == 1:
        assert f"more than {threshold}" in run.stderr and "record 1 (byte 0)" in run.stderr


def test_a_threshold_without_the_rule_is_refused(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", GOOD + "\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--error-threshold", "3",
                        exit_status=2)
    assert "--error-threshold" in run.stderr


def test_csv_with_a_bad_row_through_the_environment_alone(cli, tiny_model, tmp_path):
    """Header, line ends and quotes in the text, CRLF, part boundaries, one row without a text."""
    rows = [[str(i), f"Tiếng Việt\r\n\"tuyệt vời\", {i}", "x" * 30] for i in range(200)]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([["id", "text", "more"], *rows[:150]])
    out.write("bad\r\n")
    writer.writerows(rows[150:])
    source = write(tmp_path / "in.csv", out.getvalue())
    environment = {"MILLRACE_CSV": "rfc4180", "MILLRACE_CSV_HEADER": "true",
                   "MILLRACE_TEXT_COLUMN": "text", "MILLRACE_ON_RECORD_ERROR": "record",
                   "MILLRACE_ERROR_THRESHOLD": "1%", "MILLRACE_PART_BYTES": "2000"}
    flags = [flag for pair in environment.items() for flag in ("--env", "=".join(pair))]
    run = cli.transform(tiny_model, source, tmp_path / "out", "--content-type", "text/csv",
                        "--split-type", "Line", "--assemble-with", "Line", "--join-source", "Input",
                        *flags)
    assert run.summary["failed_records"] == 1
    text = (tmp_path / "out" / "in.csv.out").read_bytes().decode()
    result = list(csv.reader(io.StringIO(text, newline="")))
    header, answers = result[0], result[1:]
    assert header[:3] == ["id", "text", "more"] and len(header) > 3
    assert len(answers) == 201 and {len(row) for row in answers} == {len(header)}
    assert [row[:3] for row in answers[:150] + answers[151:]] == rows
    assert answers[150] == ["bad", "", "", "ERROR"] + [""] * (len(header) - 4)
    [error] = errors_of(tmp_path / "out", "in.csv")
    assert error["record_number"] == 151 and error["record"] == "bad"


def test_a_quote_that_never_ends_and_a_record_that_is_too_large(cli, tiny_model, tmp_path):
    large = "great " * 200_000
    source = write(tmp_path / "a.csv", f'ok\n{large}\nok\n"never\nclosed\n')
    run = cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record",
                        "--max-payload-in-mb", "1")
    assert run.summary["records"] == 4
    rows = files_in(tmp_path / "out")["a.csv.out"].decode().splitlines()
    assert [row.startswith("ERROR") for row in rows] == [False, True, False, True]
    too_large, unclosed = errors_of(tmp_path / "out", "a.csv")
    assert "1200001" in too_large["cause"] and too_large["record_cut"]
    assert "quote" in unclosed["cause"] and unclosed["record"] == '"never\nclosed'


def test_a_rerun_without_errors_takes_the_old_errors_file_away(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", f"{GOOD}\n{{}}\n")
    for content, expected in ((f"{GOOD}\n{{}}\n", True), (f"{GOOD}\n{GOOD}\n", False)):
        write(source, content)
        cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record",
                      "--if-exists", "overwrite")
        assert ("a.jsonl.out.errors.jsonl" in files_in(tmp_path / "out")) == expected


def test_an_errors_file_is_not_replaced_unasked(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", json_lines([{"inputs": "x"}]))
    write(tmp_path / "out" / "a.jsonl.out.errors.jsonl", "precious")
    cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record",
                  exit_status=2)
    assert files_in(tmp_path / "out") == {"a.jsonl.out.errors.jsonl": b"precious"}


def test_filters_joins_and_ids_keep_the_placeholder_in_line(cli, tiny_model, tmp_path):
    """A record that InputFilter does not fit is refused like any other; OutputFilter and inference
    ids treat its placeholder as a result, whatever the parts."""
    records = [{"id": i, "review": {"inputs": f"great app {i}"}} for i in range(60)]
    lines = [json.dumps(record) for record in records]
    lines[30] = '{"id": 30, "comment": "no review here"}'
    source = write(tmp_path / "a.jsonl", "\n".join(lines) + "\n")
    outputs = []
    for number, part_bytes in enumerate((300, 1 << 20)):
        out = tmp_path / f"out{number}"
        run = cli.transform(
            tiny_model, source, out, "--input-filter", "$.review", "--join-source", "Input",
            "--output-filter", "$['id','SageMakerOutput']", "--on-record-error", "record",
            "--part-bytes", part_bytes, "--job-name", "filtered")
        assert (run.summary["records"], run.summary["failed_records"]) == (60, 1)
        outputs.append(files_in(out))
    assert outputs[0] == outputs[1]
    answers = [json.loads(line) for line in outputs[0]["a.jsonl.out"].decode().splitlines()]
    assert [answer["id"] for answer in answers] == list(range(60))
    assert answers[30]["SageMakerOutput"]["error"]["code"] == "bad_input"
    assert answers[31]["SageMakerOutput"][0]["label"] in ("NEGATIVE", "POSITIVE")
    [error] = errors_of(tmp_path / "out0", "a.jsonl")
    assert error["record_number"] == 31 and error["record"] == lines[30]
    assert error["byte_offset"] == len("\n".join(lines[:30])) + 1


def test_an_output_filter_that_misses_in_a_placeholder_is_no_error(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", GOOD + "\n17\n" + GOOD + "\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--output-filter", "$[0].label",
                        "--json-path", "extended", "--on-record-error", "record")
    assert run.summary["failed_records"] == 1
    lines = (tmp_path / "out" / "a.jsonl.out").read_text().splitlines()
    assert lines[0] == lines[2] and json.loads(lines[1])["error"]["code"] == "bad_input"


def test_merged_results_have_one_errors_file(cli, tiny_model, tmp_path):
    """In the order of the inputs, each line naming its own; and a joined CSV stays aligned."""
    source = tmp_path / "in"
    write(source / "b.csv", 'id,text\n1,great app\n2,"two ""quotes"""\n')
    write(source / "a.csv", "id,text\n3,fine\n4\n5,fine\n")
    write(source / "c.csv", "id,text\n6\n")
    flags = ["--csv-header", "--text-column", "text", "--join-source", "Input", "--merge",
             "all.csv", "--merge-source-column", "file", "--on-record-error"]
    run = cli.transform(tiny_model, source, tmp_path / "out", *flags, "record")
    assert (run.summary["records"], run.summary["failed_records"]) == (6, 2)
    files = files_in(tmp_path / "out")
    assert sorted(files) == ["all.csv", "all.csv.errors.jsonl"]
    header, *rows = csv.reader(io.StringIO(files["all.csv"].decode()))
    assert header == ["id", "text", "predicted_label", "predicted_score", "file"]
    assert [(row[0], row[2] == "ERROR", row[4]) for row in rows] == [
        ("3", False, "a.csv"), ("4", True, "a.csv"), ("5", False, "a.csv"), ("1", False, "b.csv"),
        ("2", False, "b.csv"), ("6", True, "c.csv")]
    told = [json.loads(line) for line in files["all.csv.errors.jsonl"].decode().splitlines()]
    assert [(e["object"].rsplit("/")[-1], e["record_number"], e["record"]) for e in told] == [
        ("a.csv", 2, "4"), ("c.csv", 1, "6")]
    cli.transform(tiny_model, source, tmp_path / "dropped", *flags, "drop")
    dropped = files_in(tmp_path / "dropped")
    assert dropped["all.csv.errors.jsonl"] == files["all.csv.errors.jsonl"]
    kept = csv.reader(io.StringIO(dropped["all.csv"].decode()))
    assert list(kept) == [header] + [row for row in rows if row[2] != "ERROR"]


def test_the_errors_file_is_not_compressed(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", GOOD + "\n17\n")
    cli.transform(tiny_model, source, tmp_path / "out", "--on-record-error", "record",
                  "--output-compression", "gzip")
    files = files_in(tmp_path / "out")
    assert sorted(files) == ["a.jsonl.out.gz", "a.jsonl.out.gz.errors.jsonl"]
    assert json.loads(files["a.jsonl.out.gz.errors.jsonl"])["record"] == "17"
