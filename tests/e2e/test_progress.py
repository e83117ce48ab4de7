"""Where a job is, while it runs and afterwards; and what it would do, before it starts."""
import json
import signal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import files_in, json_lines, write
from model_server import ModelServer
from tiny_model import make_tiny_model

GOOD = json_lines({"inputs": f"great app {i % 7}"} for i in range(30))


def test_progress_lines_have_exact_totals_and_name_what_is_under_way(cli, tmp_path):
    write(tmp_path / "in/a.jsonl", GOOD)
    write(tmp_path / "in/b.jsonl", GOOD)

    def slow(request):
        import time
        time.sleep(0.1)
        return request.body

    with ModelServer(slow) as server:
        run = cli.transform(server.url, tmp_path / "in", tmp_path / "out", "--progress", "json",
                            "--batch-strategy", "SingleRecord", "--part-bytes", 1)
    lines = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert len(lines) >= 3
    # The last one may come when all is done, and a busy machine takes its time.
    middle = [line for line in lines if 0 < line["records_done"] < 60][-1]
    assert (middle["objects_total"], middle["records_total"]) == (2, 60)
    assert middle["records_total_exact"] is True
    assert 1 < middle["records_per_s"] < 11
    assert 0 < middle["eta_seconds"] < 60
    assert middle["objects_running"] == len(middle["running"]) >= 1
    assert set(middle["running"]) <= {"a.jsonl", "b.jsonl"}
    assert (lines[-1]["records_done"], lines[-1]["bytes_done"]) == (60, lines[-1]["bytes_total"])
    assert lines[-1]["eta_seconds"] == 0


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_progress_moves_within_one_file_that_the_model_is_given_at_once(cli, tmp_path, form,
                                                                        request):
    """Fewer records than the native model sorts by length together: none is written for long."""
    model = make_tiny_model(tmp_path / "model", hidden=256, layers=4)
    texts = ["the app is not very good and i love it " * 12 + str(i) for i in range(3000)]
    source = tmp_path / f"a.{form}"
    if form == "parquet":
        request.getfixturevalue("parquet")
        pq.write_table(pa.table({"text": texts}), source)
    else:
        write(source, json_lines({"inputs": text} for text in texts))
    job = cli.start("transform", "--model", model, "--input", source, "--output", tmp_path / "out",
                    "--threads", 1, "--progress", "json")
    seen = {}
    for line in job.stderr:
        seen = json.loads(line) if line.startswith(b"{") else {}
        if seen.get("records_done", 0) > 0:
            break
    job.send_signal(signal.SIGINT)
    job.communicate(timeout=60)
    assert 0 < seen["records_done"] < seen["records_total"] == 3000
    assert 0 < seen["bytes_done"] < seen["bytes_total"]
    assert seen["records_per_s"] > 0 and seen["eta_seconds"] > 0
    assert job.returncode == 130 and not (tmp_path / "out").exists()


def test_the_report_tells_of_each_object(cli, tiny_model, tmp_path):
    write(tmp_path / "in/a.jsonl", GOOD)
    write(tmp_path / "in/b.jsonl", GOOD + "{}\n")
    write(tmp_path / "in/c.jsonl", json_lines([{"inputs": "word " * 2000}, {"inputs": "ok"}]))
    cli.transform(tiny_model, tmp_path / "in/a.jsonl", tmp_path / "out")
    report = tmp_path / "report.json"
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--if-exists", "update",
                        "--report", report, exit_status=1)
    told = json.loads(report.read_text())
    assert told["status"] == "Failed" and told["records"] == run.summary["records"] == 2
    assert told["model_digest"] == run.summary["model_digest"]
    a, b, c = told["objects"]
    assert (a["state"], a["records"], a["output"]) == ("Kept", 0, str(tmp_path / "out/a.jsonl.out"))
    assert (b["state"], b["output"]) == ("Failed", "") and "record 31" in b["error"]
    assert (c["state"], c["records"], c["truncated"], c["failed_records"]) == ("Completed", 2, 1, 0)
    assert c["bytes_in"] == (tmp_path / "in/c.jsonl").stat().st_size
    assert c["bytes_out"] == (tmp_path / "out/c.jsonl.out").stat().st_size
    assert c["seconds"] > 0 and "error" not in c
    assert len(report.read_text().splitlines()) == 5, "a line for each object"

    write(tmp_path / "in/b.jsonl", GOOD)
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--if-exists", "update",
                  "--report", report)
    states = [o["state"] for o in json.loads(report.read_text())["objects"]]
    assert states[:2] == ["Kept", "Completed"]
    b = json.loads(report.read_text())["objects"][1]
    assert (b["records"], b["duplicates"]) == (30, 23)


@pytest.mark.parametrize("where", ["nowhere/report.json", "."])
def test_a_report_that_cannot_be_written_starts_nothing(cli, tiny_model, tmp_path, where):
    source = write(tmp_path / "a.jsonl", GOOD)
    run = cli.transform(tiny_model, source, tmp_path / "out", "--report", tmp_path / where,
                        exit_status=2)
    assert "--report" in run.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["in/a.jsonl", "out/a.jsonl.out", "out/a.jsonl.out.errors.jsonl",
                                   "out/all.jsonl", "link"])
def test_a_report_never_replaces_inputs_or_outputs(cli, tiny_model, tmp_path, where):
    source = write(tmp_path / "in/a.jsonl", GOOD)
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(source)
    merge = ["--merge", "all.jsonl"] if "all" in where else []
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", *merge, "--report",
                        tmp_path / where, exit_status=2)
    assert "--report" in run.stderr and source.read_text() == GOOD
    assert files_in(tmp_path / "out") == {}


def test_a_report_is_written_into_pipes_and_through_links(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", GOOD)
    run = cli.transform(tiny_model, source, tmp_path / "out", "--report", "/dev/stdout")
    report, summary = run.stdout.rsplit("\n", 2)[:2]
    assert json.loads(report)["objects"][0]["records"] == 30
    assert json.loads(summary)["status"] == "Completed"
    (tmp_path / "null").symlink_to("/dev/null")
    write(tmp_path / "kept", "old")
    (tmp_path / "link").symlink_to("kept")
    for name in ("null", "link"):
        cli.transform(tiny_model, source, tmp_path / "out",
                      "--if-exists", "overwrite", "--report", tmp_path / name)
        assert (tmp_path / name).is_symlink()
    assert json.loads((tmp_path / "kept").read_text())["records"] == 30


def everything(folder):
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_a_dry_run_says_all_and_writes_nothing(cli, tiny_model, tmp_path):
    write(tmp_path / "in/a.csv", "id,text\n" + "".join(f"{i},great app {i}\n" for i in range(500)))
    write(tmp_path / "in/b.csv", "id,text\n7,bad\n")
    write(tmp_path / "in/_SUCCESS", "")
    flags = ("--csv-header", "--text-column", "text", "--join-source", "Input")
    before = everything(tmp_path)
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", *flags, "--dry-run")
    assert everything(tmp_path) == before
    assert not cli.work_root.exists()
    told = run.summary
    assert told["status"] == "DryRun"
    assert (told["objects"], told["records"], told["records_exact"]) == (2, 501, True)
    [skipped] = told["skipped"]
    assert "_SUCCESS" in skipped
    settings = told["settings"]
    assert settings["content_type"] == settings["accept"] == "text/csv"
    assert (settings["split_type"], settings["csv"], settings["max_payload_in_mb"]) == \
        ("Line", "rfc4180", "6")
    expected = {e["precision"]: e for e in told["expected"]}
    assert list(expected) == ["fp32", "bf16", "int8"]
    for precision in ("fp32", "int8"):
        rate = expected[precision]["records_per_s"]
        assert rate > 0
        assert abs(expected[precision]["seconds"] - 501 / rate) < 0.02

    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", *flags)
    lines = files_in(tmp_path / "out")["a.csv.out"].decode().splitlines()
    assert [sample["result"] for sample in told["samples"]] == lines[1:4]
    assert [sample["record"] for sample in told["samples"]] == \
        [f"{i},great app {i}" for i in range(3)]
    assert "expected time: int8" in run.stderr and "sample: 0,great app 0" in run.stderr


@pytest.mark.parametrize("name, content, flags, record", [
    ("a.jsonl.gz", None, [], '{"inputs": "great app 0"}'),
    ("a.json", json.dumps([{"inputs": f"great app {i}"} for i in range(5)], indent=1),
     ["--split-type", "JsonArray"], '{\n  "inputs": "great app 0"\n }'),
    ("a.txt", "great app\nbad\n", [], "great app")])
def test_a_dry_run_predicts_whatever_the_format(cli, tiny_model, tmp_path, name, content, flags,
                                                record):
    if content is None:
        import gzip
        content = gzip.compress(GOOD.encode())
    source = write(tmp_path / name, content)
    told = cli.transform(tiny_model, source, tmp_path / "out", *flags, "--dry-run").summary
    assert told["samples"][0]["record"] == record
    assert "error" not in told["samples"][0]["result"]
    assert told["records"] == {"a.jsonl.gz": 30, "a.json": 5, "a.txt": 2}[name]


def test_a_dry_run_is_refused_where_the_job_would_be(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in/a.jsonl", GOOD)
    cli.transform(tiny_model, source.parent, tmp_path / "out")
    run = cli.transform(tiny_model, source.parent, tmp_path / "out", "--dry-run", exit_status=2)
    assert "exists already" in run.stderr
    told = cli.transform(tiny_model, source.parent, tmp_path / "out", "--dry-run", "--if-exists",
                         "update").summary
    assert (told["objects"], told["kept_objects"], told["records"]) == (1, 1, 0)


def test_a_dry_run_with_a_bad_first_record_shows_why(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.jsonl", "{}\n" + GOOD)
    told = cli.transform(tiny_model, source, tmp_path / "out", "--dry-run", "--on-record-error",
                         "record").summary
    assert told["samples"][0]["record"] == "{}"
    assert json.loads(told["samples"][0]["result"])["error"]["code"] == "bad_input"


def test_a_dry_run_of_a_bad_object_says_what_would_fail(cli, tmp_path):
    model = make_tiny_model(tmp_path / "model")
    source = write(tmp_path / "a.jsonl", '{"text": 1}\n')
    told = cli.transform(model, source, tmp_path / "out", "--dry-run").summary
    assert told["samples"][0]["result"].startswith("error: record 1")
    assert len(told["expected"]) == 3, "and how fast the others would be"
