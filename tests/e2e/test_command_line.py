"""What scripts rely on: names, inference from file names, exit statuses, the summary line."""
import json
import re
import shutil
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cli import files_in, json_lines, write

SUMMARY_KEYS = {"status", "objects", "records", "failed_objects", "failed_records", "truncated",
                "duplicates", "empty", "seconds", "records_per_s", "model", "precision", "isa"}


@pytest.fixture
def reviews(tmp_path):
    return write(tmp_path / "in" / "a.txt", "great app\nI hate it\n")


def test_the_summary_is_one_line_of_json(cli, tiny_model, tmp_path, reviews):
    run = cli.transform(tiny_model, reviews, tmp_path / "out")
    assert SUMMARY_KEYS <= set(run.summary)
    assert run.summary["status"] == "Completed"
    assert run.summary["records"] == 2 and run.summary["objects"] == 1
    assert run.summary["precision"] == "fp32"
    assert run.summary["isa"] in ("reference", "avx2", "avx2_vnni", "avx512", "avx512_vnni",
                                  "avx512_bf16")


def test_outputs_are_named_after_inputs(cli, tiny_model, tmp_path):
    write(tmp_path / "in" / "a.txt", "ok\n")
    write(tmp_path / "in" / "sub" / "deep" / "b.txt", "ok\n")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out")
    assert sorted(files_in(tmp_path / "out")) == ["a.txt.out", "sub/deep/b.txt.out"]


def test_a_single_output_file_is_written_where_its_name_ends_in_an_extension(
        cli, tiny_model, tmp_path, reviews):
    cli.transform(tiny_model, reviews, tmp_path / "result.csv")
    assert (tmp_path / "result.csv").is_file()
    (tmp_path / "folder.csv").mkdir()
    cli.transform(tiny_model, reviews, tmp_path / "folder.csv")
    assert list(files_in(tmp_path / "folder.csv")) == ["a.txt.out"]


def test_a_file_beside_the_input_is_not_part_of_it(cli, tiny_model, tmp_path, reviews):
    write(tmp_path / "in" / "a.txt.bak", "x\n")
    run = cli.transform(tiny_model, reviews, tmp_path / "out")
    assert run.summary["objects"] == 1
    cli.transform(tiny_model, f"file://{reviews}", tmp_path / "out2")
    assert list(files_in(tmp_path / "out2")) == ["a.txt.out"]


def test_hidden_marker_and_empty_files_are_skipped_with_a_notice(cli, tiny_model, tmp_path,
                                                                reviews):
    for name, content in {"_SUCCESS": "", ".hidden.txt": "ok\n", "empty.txt": ""}.items():
        write(reviews.parent / name, content)
    run = cli.transform(tiny_model, reviews.parent, tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == ["a.txt.out"]
    for name in ("_SUCCESS", ".hidden.txt", "empty.txt"):
        assert name in run.stderr or "3" in run.stderr


def test_objects_that_disagree_are_refused_with_a_count(cli, tiny_model, tmp_path, reviews):
    write(reviews.parent / "b.txt", "ok\n")
    write(reviews.parent / "c.csv", "ok\n")
    run = cli.transform(tiny_model, reviews.parent, tmp_path / "out", exit_status=2)
    assert ".txt" in run.stderr and ".csv" in run.stderr and "2" in run.stderr
    assert not (tmp_path / "out").exists()
    cli.transform(tiny_model, reviews.parent, tmp_path / "out", "--content-type", "text/plain",
                  "--split-type", "Line", "--assemble-with", "Line")
    assert len(files_in(tmp_path / "out")) == 3


@pytest.mark.parametrize("flags", [
    ["--nonsense"], ["--split-type", "Lines"], ["--split-type", "line"], ["--batch-strategy", "x"],
    ["--assemble-with", "x"], ["--max-payload-in-mb", "-1"], ["--max-payload-in-mb", "six"],
    ["--join-source", "Output"], ["--csv", "excel"], ["--precision", "fp64"], ["--threads", "x"],
    ["--env", "MILLRACE_NONSENSE=1"], ["--env", "MILLRACE_EMPTY=maybe"], ["--env", "no_equals"],
    ["--thresholds", '{"NEUTRAL":0.5}'], ["--thresholds", '{"NEGATIVE":1.5}'],
    ["--thresholds", "{"], ["--clean", "soap"], ["--score-digits", "many"],
    ["--split-type", "RecordsIO"], ["--output-filter", "id"], ["--error-threshold", "3"],
])
def test_a_wrong_setting_starts_nothing(cli, tiny_model, tmp_path, reviews, flags):
    run = cli.transform(tiny_model, reviews, tmp_path / "out", *flags, exit_status=2)
    assert run.stderr.strip()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [
    ["transform"], ["transform", "--input", "x"], ["nonsense"], ["model"], ["serve"]])
def test_wrong_usage_exits_2(cli, arguments):
    assert cli.run(*arguments, exit_status=2).stderr.strip()


def test_other_environment_entries_are_never_refused(cli, tiny_model, tmp_path, reviews):
    cli.transform(tiny_model, reviews, tmp_path / "out", "--env", "HF_TASK=text-classification")


def test_settings_win_in_the_specified_order(cli, tiny_model, tmp_path, reviews):
    def digits(name, *flags, env=None):
        cli.transform(tiny_model, reviews, tmp_path / name, *flags, env=env)
        text = files_in(tmp_path / name)["a.txt.out"].decode()
        return max(len(line.split(",")[1].split(".")[1]) for line in text.splitlines())

    process = {"MILLRACE_SCORE_DIGITS": "5"}
    assert digits("1", env=process) == 5
    assert digits("2", "--env", "MILLRACE_SCORE_DIGITS=4", env=process) == 4
    assert digits("3", "--env", "MILLRACE_SCORE_DIGITS=4", "--score-digits", "3", env=process) == 3
    options = 'MILLRACE_OPTIONS={"SCORE_DIGITS":"2"}'
    assert digits("4", "--env", options.replace("SCORE", "MILLRACE_SCORE")) == 2


def test_refusals_call_a_setting_as_it_was_made(cli, tiny_model, tmp_path, reviews):
    def refusal(*flags, env=None):
        return cli.transform(tiny_model, reviews, tmp_path / "out", *flags, env=env,
                             exit_status=2).stderr

    assert "--empty='skip': allowed: " in refusal("--empty", "skip")
    assert "MILLRACE_EMPTY='skip': allowed: " in refusal("--env", "MILLRACE_EMPTY=skip")
    assert "MILLRACE_EMPTY='skip': allowed: " in refusal(env={"MILLRACE_EMPTY": "skip"})
    assert "--empty='otherwise': needs --otherwise (MILLRACE_OTHERWISE), " in \
        refusal("--empty", "otherwise")
    assert "--output-shape=logits" in refusal("--output-shape", "logits", "--thresholds",
                                              '{"NEGATIVE":0.3}')


def test_texts_in_another_script_are_counted_and_warned_of(cli, tmp_path):
    source = write(tmp_path / "a.txt", "great app\n" * 9 + "отличное приложение\n")
    run = cli.transform("sst2-small", source, tmp_path / "out")
    assert run.summary["not_model_language"] == 1
    assert "warning: 1 of 10 texts (10.0%) are not written as the model's languages are (en)" in \
        run.stderr


def test_a_create_transform_job_request_runs_and_flags_override_it(cli, tiny_model, tmp_path,
                                                                  reviews):
    request = {
        "TransformJobName": "from-json", "ModelName": "tiny",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix",
                                                           "S3Uri": "s3://nowhere/in"}},
                           "ContentType": "text/plain", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": "s3://nowhere/out", "Accept": "application/jsonlines",
                            "AssembleWith": "Line"},
        "BatchStrategy": "SingleRecord", "MaxPayloadInMB": 1,
        "Environment": {"MILLRACE_SCORE_DIGITS": "2"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    path = write(tmp_path / "request.json", json.dumps(request))
    cli.transform(tiny_model, reviews, tmp_path / "out", "--cli-input-json", path)
    lines = files_in(tmp_path / "out")["a.txt.out"].decode().splitlines()
    assert len(lines) == 2
    assert all(len(str(json.loads(line)[0]["score"])) <= 4 for line in lines)
    cli.transform(tiny_model, reviews, tmp_path / "out2", "--cli-input-json", path, "--accept",
                  "text/csv")
    assert not files_in(tmp_path / "out2")["a.txt.out"].startswith(b"[")


def test_progress_as_json_lines_on_stderr(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in" / "a.txt", "".join(f"great app {i}\n" for i in range(20000)))
    run = cli.transform(tiny_model, source, tmp_path / "out", "--progress", "json")
    lines = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    assert lines and all("records" in line or "records_done" in line for line in lines)
    quiet = cli.transform(tiny_model, source, tmp_path / "out2", "--progress", "none")
    assert not quiet.stderr.strip()


def test_tokenize_prints_ids_with_special_tokens(cli, tiny_model):
    run = cli.run("tokenize", "--model", tiny_model, "--json", stdin="great app\n\nI  hate it")
    great, empty, hate = [json.loads(line) for line in run.stdout.splitlines()]
    assert empty == [2, 3] and great[0] == hate[0] == 2 and great[-1] == hate[-1] == 3
    assert len(great) == 4 and len(hate) == 5


def test_tokenize_needs_only_the_tokenizers_files(cli, tiny_model, tmp_path):
    for name in ("vocab.txt", "tokenizer_config.json"):
        write(tmp_path / "m" / name, (tiny_model / name).read_bytes())
    run = cli.run("tokenize", "--model", tmp_path / "m", stdin="great " * 1000)
    assert len(json.loads(run.stdout)) == 512


def test_classify_reads_lines_and_prints_tables_or_json(cli, tiny_model):
    run = cli.run("classify", "--model", tiny_model, stdin="great app\nI hate it\n")
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert [row[2] for row in rows] == ["great app", "I hate it"]
    run = cli.run("classify", "--model", tiny_model, "--json", "great app")
    assert len([json.loads(line) for line in run.stdout.splitlines()]) == 1


def test_model_inspect_tells_identity_and_labels(cli, tiny_model):
    run = cli.run("model", "inspect", tiny_model)
    for word in ("DistilBertForSequenceClassification", "NEGATIVE", "POSITIVE"):
        assert word in run.stdout
    assert "digest" in run.stdout.lower()


def test_model_inspect_tells_the_kernels_of_each_precision_and_why(cli, tiny_model):
    run = cli.run("model", "inspect", tiny_model)
    assert "the best that this CPU runs" in run.stdout
    rows = {line.split()[0]: line for line in run.stdout.splitlines() if line.startswith("  ")}
    assert set(rows) == {"fp32", "int8", "bf16"}
    forced = cli.run("model", "inspect", tiny_model, env={"MILLRACE_ISA": "reference"})
    assert "reference, as MILLRACE_ISA asks" in forced.stdout
    assert "needs AVX512-BF16" in forced.stdout
    refused = cli.run("model", "inspect", tiny_model, env={"MILLRACE_ISA": "avx1024"},
                      exit_status=2)
    assert "this machine runs" in refused.stderr


def test_bench_prints_one_line_of_json(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "great app\nI hate it\n" * 100)
    run = cli.run("bench", "--model", tiny_model, "--input", source)
    line = json.loads(run.stdout.splitlines()[-1])
    for key in ("sequences_per_s", "tokens_per_s", "sequences", "tokens", "precision", "isa",
                "threads"):
        assert key in line
    assert line["sequences"] >= 200


def test_bench_compares_precisions_on_the_users_texts(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "great app\nI hate it\nslow and bad\n" * 100)
    run = cli.run("bench", "--model", tiny_model, "--input", source, "--compare-precisions")
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["precision"] for line in lines] == ["fp32", "bf16", "int8"]
    assert lines[0]["labels_changed"] == 0 and lines[0]["largest_score_change"] == 0
    assert lines[0]["speed_over_fp32"] == 1
    for line in lines:
        if "unavailable" in line:
            assert line["unavailable"]
        else:
            assert line["sequences"] == 300 and line["sequences_per_s"] > 0
            assert 0 <= line["mean_score_change"] <= line["largest_score_change"] < 0.5
            assert len(line["changed"]) == min(5, line["labels_changed"])
    cli.run("bench", "--model", tiny_model, "--input", source, "--compare-precisions",
            "--precision", "fp32", exit_status=2)


def test_bench_says_what_is_computed_in_another_precision_or_gives_no_number(cli, tiny_model,
                                                                             tmp_path):
    source = write(tmp_path / "a.txt", "great app\nI hate it\n" * 10)
    run = cli.run("bench", "--model", tiny_model, "--input", source, "--precision", "bf16")
    other = json.loads(run.stdout)["precision"] != "bf16"
    assert ("computing in fp32" in run.stderr) == other
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    tensors = load_file(model / "model.safetensors")
    tensors["classifier.weight"] = np.full_like(tensors["classifier.weight"], 3e38)
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    run = cli.run("bench", "--model", model, "--input", source, "--compare-precisions")
    assert json.loads(run.stdout.splitlines()[0])["not_a_number"] == 20


def test_bench_answers_duplicates_once_when_asked(cli, tiny_model, tmp_path):
    source = write(tmp_path / "a.txt", "great app\nI hate it\n" * 100)
    for flags, duplicates in ([], 0), (["--dedup"], 198):
        run = cli.run("bench", "--model", tiny_model, "--input", source, *flags)
        assert json.loads(run.stdout)["duplicates"] == duplicates


def test_help_and_version(cli):
    assert cli.run("--version").stdout.strip()
    top = cli.run("--help").stdout
    for command in ("transform", "tokenize", "classify", "model", "bench", "serve", "jobs"):
        assert command in top.split()
    text = cli.run("transform", "--help").stdout
    for flag in ("--model", "--input", "--output", "--content-type", "--accept", "--split-type",
                 "--batch-strategy", "--assemble-with", "--max-payload-in-mb", "--join-source",
                 "--max-concurrent-transforms", "--csv", "--csv-header", "--text-column", "--env",
                 "--threads", "--precision", "--progress", "--job-name", "--work-dir",
                 "--input-filter", "--output-filter", "--json-path", "--kms-key-id",
                 "--cli-input-json", "--profile", "--region", "--endpoint-url", "--result-cache",
                 "--result-cache-bytes", "--output-suffix", "--output-compression", "--merge",
                 "--merge-source-column", "--report", "--dry-run", "--if-exists",
                 "--on-record-error", "--error-threshold",
                 "--invocations-timeout-in-seconds",
                 "--invocations-max-retries", "--ping-timeout-in-seconds", "--model-command",
                 "--model-memory-in-mb", "--model-stop-timeout-in-seconds", "--pass-credentials",
                 "--model-image", "--container-engine", "--pipeline", "--echo-input"):
        assert flag in text, flag


def test_two_processes_never_work_on_one_job(cli, tiny_model, tmp_path):
    lines = json_lines({"inputs": f"great app {i} " + "love it " * 60} for i in range(60000))
    source = write(tmp_path / "in" / "a.jsonl", lines)
    arguments = ("transform", "--model", tiny_model, "--input", source, "--output",
                 tmp_path / "out", "--job-name", "one", "--threads", "1")
    first = cli.start(*arguments)
    try:
        for _ in range(500):
            time.sleep(0.02)
            if any(cli.work_root.rglob("*")) and first.poll() is None:
                second = cli.run(*arguments, exit_status=None)
                if first.poll() is None:
                    assert second.exit_status == 2 and "one" in second.stderr
                    return
        pytest.fail("the first run ended before the second began")
    finally:
        first.kill()
        first.communicate()


def test_a_shell_that_is_set_up_for_the_service_runs_jobs_as_well(cli, tmp_path):
    names = set(re.findall(r"Env:(MILLRACE_[A-Z_]+)", cli.run("serve", "--help").stdout))
    assert {"MILLRACE_LISTEN", "MILLRACE_DATA_DIR"} < names
    of_jobs = set(re.findall(r"--([a-z-]+)", cli.run("transform", "--help").stdout))
    words = {"MILLRACE_CONTAINER_NETWORK": "none", "MILLRACE_LOG_FORMAT": "json",
             "MILLRACE_LOG_LEVEL": "info"}
    environment = {name: words.get(name, "1") for name in names
                   if name[len("MILLRACE_"):].lower().replace("_", "-") not in of_jobs}
    source = write(tmp_path / "a.txt", "great app\n")
    job = "transform", "--input", source, "--output", tmp_path / "out"
    cli.run(*job, env=environment)
    refused = cli.run(*job, "--env", "MILLRACE_LISTEN=x", exit_status=2)
    assert "MILLRACE_LISTEN in the job's Environment: there is no such setting" in refused.stderr
