"""Pipelines: models in a row, on the command line. Types are chained, errors name the step and the
record, and a step is whatever a model can be."""
import json
import pathlib
import time

import pytest

from cli import write
from model_server import ModelServer, echo
from python_models import CACHE, make_model

LINES = ("--content-type", "text/plain", "--split-type", "Line", "--assemble-with", "Line",
         "--threads", 2)
SINGLE = ("--batch-strategy", "SingleRecord")
# Trims and lowers each line; "refuse" in a text is a record that it does not take.
CLEAN = """
    from sagemaker_inference.errors import BaseInferenceToolkitError

    def model_fn(model_dir):
        return None

    def input_fn(data, content_type):
        return data.decode() if isinstance(data, bytes) else data

    def predict_fn(data, model):
        if "refuse" in data:
            raise BaseInferenceToolkitError(400, "refused", "a record that is refused")
        return "".join(line.strip().lower() + "\\n" for line in data.splitlines())

    def output_fn(prediction, accept):
        return prediction, "text/plain"
"""


@pytest.fixture
def cli(cli):
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE)}
    return cli


def transform(cli, models, source, output, *flags, **options):
    named = [part for model in models for part in ("--model", model)]
    return cli.run("transform", *named, "--input", source, "--output", output, *flags, **options)


def outputs(cli, tiny_model, tmp_path, texts, name="alone"):
    """What the native model alone says of the texts."""
    source = write(tmp_path / name / "in.txt", "".join(text + "\n" for text in texts))
    cli.transform(tiny_model, source, tmp_path / name / "out.csv", *LINES)
    return (tmp_path / name / "out.csv").read_text()


def test_types_are_chained_and_the_jobs_accept_goes_to_the_last(cli, tmp_path):
    source = write(tmp_path / "in" / "a.csv", "1,a\n2,b\n")
    with ModelServer(lambda r: (200, b"[1]", "application/json")) as first, \
            ModelServer(lambda r: (200, b"x" + r.body, "application/x-mine")) as second, \
            ModelServer(lambda r: b"y" + r.body) as third:
        run = transform(cli, [first.url, second.url, third.url], source, tmp_path / "out",
                        "--content-type", "text/csv", "--accept", "text/html", "--split-type",
                        "Line", "--assemble-with", "None")
    assert (tmp_path / "out" / "a.csv.out").read_bytes() == b"yx[1]"
    seen = [server.invocations[0].headers for server in (first, second, third)]
    assert [h["content-type"] for h in seen] == ["text/csv", "application/json",
                                                 "application/x-mine"]
    assert [h.get("accept") for h in seen] == [None, None, "text/html"]
    assert {h["x-amzn-sagemaker-input-object"] for h in seen} == {str(source)}
    assert run.summary["model"] == f"{first.url} -> {second.url} -> {third.url}"
    assert [step["step"] for step in run.summary["steps"]] == [
        f"step 1 ({first.url})", f"step 2 ({second.url})", f"step 3 ({third.url})"]


@pytest.mark.parametrize("strategy", ["MultiRecord", "SingleRecord"])
def test_python_code_before_the_native_model(cli, tiny_model, tmp_path, strategy):
    clean = make_model(tmp_path / "clean", CLEAN)
    dirty = write(tmp_path / "in.txt", "".join(f"   GOOD film Number {i}  \n" for i in range(300)))
    transform(cli, [clean, tiny_model], dirty, tmp_path / "out.csv", *LINES, "--batch-strategy",
              strategy)
    expected = outputs(cli, tiny_model, tmp_path, [f"good film number {i}" for i in range(300)])
    assert (tmp_path / "out.csv").read_text() == expected


def test_a_server_before_the_native_model_and_results_joined_to_the_original(cli, tiny_model,
                                                                             tmp_path):
    source = write(tmp_path / "in.csv", "text,stars\n  GOOD ,5\n BAD ,1\n")

    def first_column(request):
        return (200, b"".join(line.split(b",")[0].strip().lower() + b"\n"
                              for line in request.body.splitlines()), "text/plain")

    with ModelServer(first_column) as server:
        transform(cli, [server.url, tiny_model], source, tmp_path / "out.csv", "--csv-header",
                  "--join-source", "Input")
    alone = outputs(cli, tiny_model, tmp_path, ["good", "bad"]).splitlines()
    assert (tmp_path / "out.csv").read_text() == (
        "text,stars,predicted_label,predicted_score\n"
        f"  GOOD ,5,{alone[0]}\n BAD ,1,{alone[1]}\n")


def test_any_number_of_records_in_flight_keeps_the_order(cli, tiny_model, tmp_path):
    texts = [f"{'so ' * (i % 17)}good {i}" for i in range(400)]
    source = write(tmp_path / "in.txt", "".join(text + "\n" for text in texts))

    def slow(request):
        time.sleep(0.01)  # so that requests meet
        return echo(request)

    with ModelServer(slow) as server:
        transform(cli, [server.url, tiny_model], source, tmp_path / "out.csv", *LINES, *SINGLE,
                  "--max-concurrent-transforms", 8, "--part-bytes", 700)
        assert 1 < server.in_flight_max <= 8
    assert (tmp_path / "out.csv").read_text() == outputs(cli, tiny_model, tmp_path, texts)


def test_a_refusal_of_a_step_fails_its_object_with_step_and_record(cli, tiny_model, tmp_path):
    clean = make_model(tmp_path / "clean", CLEAN)
    write(tmp_path / "in" / "bad.txt", "fine\nfine\nrefuse this\nfine\n")
    write(tmp_path / "in" / "good.txt", "fine\n")
    run = transform(cli, [clean, tiny_model], tmp_path / "in", tmp_path / "out", *LINES, *SINGLE,
                    exit_status=1)
    assert f"bad.txt: record 3 (byte 10): step 1 ({clean}): ClientError: 400" in run.stderr
    assert not (tmp_path / "out" / "bad.txt.out").exists()
    assert (tmp_path / "out" / "good.txt.out").read_text() == outputs(cli, tiny_model, tmp_path,
                                                                      ["fine"])


def test_a_refusal_of_any_step_costs_its_record_alone(cli, tiny_model, tmp_path):
    texts = [f"text {i}" for i in range(60)]
    texts[7] = "refused by one"
    texts[40] = "refused by three"
    source = write(tmp_path / "in.txt", "".join(text + "\n" for text in texts))

    def answer(word):
        def of(request):
            return (422, b"not this") if word in request.body else (200, request.body, "text/plain")
        return of

    with ModelServer(answer(b"by one")) as one, ModelServer(answer(b"by three")) as three:
        run = transform(cli, [one.url, tiny_model, three.url], source, tmp_path / "out.csv", *LINES,
                        "--on-record-error", "record", "--echo-input")
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert run.summary["failed_records"] == 2
    assert len(rows) == 60 and rows[7].startswith("ERROR") and rows[40].startswith("ERROR")
    assert [row.split(",")[0] for row in rows[:7]] == texts[:7]
    errors = [json.loads(line) for line in
              (tmp_path / "out.csv.errors.jsonl").read_text().splitlines()]
    assert f"step 1 ({one.url}): ClientError: 422: not this" in json.dumps(errors[0])
    assert f"step 3 ({three.url}): ClientError: 422: not this" in json.dumps(errors[1])


def test_an_internal_error_of_a_step_names_it(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "one\ntwo\n")
    with ModelServer(lambda _: (500, b"boom")) as server:
        run = transform(cli, [tiny_model, server.url], source, tmp_path / "out.csv", *LINES,
                        "--invocations-max-retries", 0, exit_status=1)
    assert (f"records 1 to 2 (from byte 0): step 2 ({server.url}): Bad HTTP status received from "
            "algorithm: 500: boom") in run.stderr


def test_a_step_that_cannot_read_the_type_before_it_says_so(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "one\n")
    with ModelServer(lambda r: (200, r.body, "application/x-recordio")) as server:
        run = transform(cli, [server.url, tiny_model], source, tmp_path / "out.csv", *LINES,
                        exit_status=1)
    assert f"step 2 ({tiny_model}): Content-Type 'application/x-recordio'" in run.stderr


def test_a_step_that_does_not_load_is_named_and_nothing_is_left(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "one\n")
    broken = make_model(tmp_path / "broken", "def model_fn(:\n")
    clean = make_model(tmp_path / "clean", CLEAN)
    run = transform(cli, [clean, broken], source, tmp_path / "out.csv", *LINES, exit_status=2)
    assert f"step 2 ({broken}): " in run.stderr and "inference.py" in run.stderr
    run = transform(cli, [tiny_model, tmp_path / "none"], source, tmp_path / "out.csv", *LINES,
                    exit_status=2)
    assert f"step 2 ({tmp_path / 'none'}): " in run.stderr
    assert not (tmp_path / "out.csv").exists()


def test_too_many_steps_are_refused(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "one\n")
    run = transform(cli, [tiny_model] * 16, source, tmp_path / "out.csv", exit_status=2)
    assert "a pipeline has at most 15 steps, not 16" in run.stderr
    run = transform(cli, [tiny_model, tiny_model], source, tmp_path / "out.csv", "--model-command",
                    "x", exit_status=2)
    assert "--model-image start one server, and this is a pipeline" in run.stderr


def pipeline(tmp_path, *containers, **more):
    return write(tmp_path / "pipeline.json", json.dumps({"Containers": list(containers)} | more))


def test_a_pipeline_file_gives_each_step_its_own_settings(cli, tiny_model, tmp_path):
    """As describe-model prints it. Two native steps with different settings: the second labels the
    field in which the first hands the text on."""
    source = write(tmp_path / "in.jsonl", '{"review": "good"}\n{"review": "bad"}\n')
    file = pipeline(
        tmp_path,
        {"ContainerHostname": "echo", "ModelDataUrl": str(tiny_model),
         "Environment": {"MILLRACE_TEXT_COLUMN": "review", "MILLRACE_ECHO_INPUT": "1",
                         "MILLRACE_OUTPUT": "columns"}},
        {"ContainerHostname": "label", "ModelDataUrl": str(tiny_model),
         "Environment": {"MILLRACE_TEXT_COLUMN": "text",
                         "MILLRACE_LABELS": '{"NEGATIVE": "no", "POSITIVE": "yes"}'}},
        ModelName="two", ModelArn="arn:aws:sagemaker:us-east-1:123456789012:model/two")
    run = cli.run("transform", "--pipeline", file, "--input", source, "--output",
                  tmp_path / "out.jsonl")
    assert [step["step"] for step in run.summary["steps"]] == ["step 1 (echo)", "step 2 (label)"]
    assert len({step["model_digest"] for step in run.summary["steps"]}) == 1
    alone = outputs(cli, tiny_model, tmp_path, ["good", "bad"]).splitlines()
    for line, row in zip((tmp_path / "out.jsonl").read_text().splitlines(), alone):
        label, score = row.split(",")
        assert json.loads(line) == [{"label": {"NEGATIVE": "no", "POSITIVE": "yes"}[label],
                                     "score": float(score)}]


def test_a_step_of_a_pipeline_file_may_be_a_command(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", "GOOD\n")
    server = write(tmp_path / "server.py", """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ping" else 404); self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).lower()
        self.send_response(200); self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body))); self.end_headers()
        self.wfile.write(body)
address = ("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
http.server.HTTPServer(address, Handler).serve_forever()
""")
    file = pipeline(tmp_path, {"Environment": {"MILLRACE_MODEL_COMMAND": f"python3 {server}"}},
                    {"ModelDataUrl": str(tiny_model)})
    cli.run("transform", "--pipeline", file, "--input", source, "--output", tmp_path / "out.csv",
            *LINES)
    assert (tmp_path / "out.csv").read_text() == outputs(cli, tiny_model, tmp_path, ["good"])


BAD_FILES = {
    "no json": ("{", "no JSON object"),
    "one container": ({"Containers": [{"ModelDataUrl": "sst2-small"}]}, "at least two Containers"),
    "none": ({"ModelName": "m"}, "needs a PrimaryContainer, or Containers"),
    "both": ({"PrimaryContainer": {}, "Containers": [{}, {}]},
             "Exactly one of PrimaryContainer and Containers must be specified."),
    "sixteen": ({"Containers": [{}] * 16}, "at most 15 containers, and these are 16"),
    "direct": ({"Containers": [{}, {}], "InferenceExecutionConfig": {"Mode": "Direct"}},
               "Mode Direct is not supported"),
    "one hostname": ({"Containers": [{"ContainerHostname": "a"}, {}]},
                     "you must specify one for every container"),
    "same hostname": ({"Containers": [{"ContainerHostname": "a"}, {"ContainerHostname": "a"}]},
                      "ContainerHostname 'a' is given twice"),
    "no model": ({"Containers": [{"ModelDataUrl": "sst2-small"}, {"Image": "i"}]},
                 "container 2: nothing says which model it is"),
    "a setting of the job": (
        {"Containers": [{"ModelDataUrl": "sst2-small"},
                        {"ModelDataUrl": "sst2-small",
                         "Environment": {"MILLRACE_SPLIT_TYPE": "Line"}}]},
        "MILLRACE_SPLIT_TYPE in the Environment of step 2: is a setting of the whole job"),
    "no such setting": (
        {"Containers": [{"ModelDataUrl": "sst2-small", "Environment": {"MILLRACE_SPLIT": "Line"}},
                        {"ModelDataUrl": "sst2-small"}]},
        "MILLRACE_SPLIT in the Environment of step 1: there is no such setting"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_pipeline_file_is_refused(cli, tmp_path, name):
    content, message = BAD_FILES[name]
    source = write(tmp_path / "in.txt", "one\n")
    file = write(tmp_path / "p.json", content if isinstance(content, str) else json.dumps(content))
    run = cli.run("transform", "--pipeline", file, "--input", source, "--output", tmp_path / "out",
                  exit_status=2)
    assert message in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_rerun_looks_at_every_step(cli, tiny_model, tmp_path):
    """update computes again when any step's model changes, and not when none does."""
    source = write(tmp_path / "in" / "in.txt", " GOOD \n")
    clean = make_model(tmp_path / "clean", CLEAN)

    def kept():
        run = transform(cli, [clean, tiny_model], tmp_path / "in", tmp_path / "out", *LINES,
                        "--if-exists", "update")
        return run.summary["kept_objects"]

    assert kept() == 0
    assert kept() == 1
    code = pathlib.Path(clean) / "code" / "inference.py"
    code.write_text(code.read_text().replace("lower()", "upper()"))
    assert kept() == 0
    assert kept() == 1
    assert source.exists()


def test_a_dry_run_and_a_report_name_the_steps(cli, tiny_model, tmp_path):
    clean = make_model(tmp_path / "clean", CLEAN)
    source = write(tmp_path / "in.txt", " GOOD \n BAD \n")
    run = transform(cli, [clean, tiny_model], source, tmp_path / "out.csv", *LINES, "--dry-run")
    found = run.summary
    assert found["settings"]["step_1"] == f"step 1 ({clean})"
    assert found["settings"]["step_2"] == f"step 2 ({tiny_model})"
    assert found["model"] == f"{clean} -> {tiny_model}"
    assert found["expected"][0]["records_per_s"] > 0
    alone = outputs(cli, tiny_model, tmp_path, ["good", "bad"]).splitlines()
    assert [sample["result"] for sample in found["samples"]] == alone
    transform(cli, [clean, tiny_model], source, tmp_path / "out.csv", *LINES, "--report",
              tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert [step["model"] for step in report["steps"]] == [str(clean), str(tiny_model)]
    assert "model_digest" not in report["steps"][0] and report["steps"][1]["model_digest"]


def test_inspect_shows_each_step(cli, tiny_model, tmp_path):
    clean = make_model(tmp_path / "clean", CLEAN)
    told = cli.run("model", "inspect", clean, tiny_model).stdout
    assert told.index(f"step 1 ({clean})") < told.index("inference.py") < told.index("step 2 (")
    assert told.index("step 2 (") < told.index("DistilBertForSequenceClassification")
    file = pipeline(tmp_path, {"ContainerHostname": "a", "ModelDataUrl": "http://127.0.0.1:1"},
                    {"ContainerHostname": "b",
                     "Environment": {"MILLRACE_MODEL_COMMAND": "exec serve-it"}})
    told = cli.run("model", "inspect", "--pipeline", file).stdout
    assert "step 1 (a)\n" in told and "http://127.0.0.1:1" in told
    assert "step 2 (b)\n" in told and "exec serve-it" in told


def test_echoed_texts_are_columns_of_a_csv_with_header(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.csv", 'id,text\n1,"so, good"\n2,\n')
    cli.transform(tiny_model, source, tmp_path / "out.csv", "--csv-header", "--text-column", "text",
                  "--echo-input")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "text,predicted_label,predicted_score"
    assert lines[1].startswith('"so, good",') and lines[2] == ",,"
    run = cli.transform(tiny_model, source, tmp_path / "joined.csv", "--csv-header",
                        "--text-column", "text", "--echo-input", "--join-source", "Input",
                        exit_status=1)
    assert "'text'" in run.stderr


def test_echoed_texts_do_not_go_with_parquet(cli, tiny_model, parquet, tmp_path):
    source = write(tmp_path / "in.parquet", b"PAR1")
    run = cli.transform(tiny_model, source, tmp_path / "out.parquet", "--echo-input", exit_status=2)
    assert "--echo-input does not go with Parquet objects" in run.stderr
