"""The real clients against the real server: each runs a job on reviews in S3 from create to
results, and is told clearly why when it fails. The AWS CLI runs with every test; SageMaker's SDKs
and the JavaScript SDK, which are heavy, with MILLRACE_LONG_TESTS=1."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

import service as s
from cli import json_lines, write

HERE = pathlib.Path(__file__).resolve().parent
LONG = pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1",
                          reason="MILLRACE_LONG_TESTS=1")
REVIEWS = json_lines({"inputs": text} for text in ("great app", "I hate it", "crashes never"))


@pytest.fixture
def service(cli, s3_server, tmp_path):
    running = s.Service(cli, tmp_path / "service", "--threads", "1",
                        environment=s3_server.environment)
    yield running
    running.stop()


def put(s3_server, bucket, name, bad=False):
    s3_server.put(bucket, f"{name}/in/a.jsonl",
                  REVIEWS.encode() + (b'{"inputs": 7}\n' if bad else b""))


def run(command, environment, expect=0):
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True,
                          text=True, timeout=300)
    assert expect is None or done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def aws(service, s3_server):
    program = pathlib.Path(sys.executable).parent / "aws"

    def call(*arguments, expect=0):
        return run([sys.executable, program, *arguments], service.environment(s3_server), expect)
    return call


def test_aws_cli(aws, service, s3_server, bucket, tmp_path):
    for name, bad in (("good", False), ("bad", True)):
        put(s3_server, bucket, name, bad)
    aws("sagemaker", "create-model", "--model-name", "m", "--execution-role-arn", s.ROLE,
        "--primary-container", f"Image={s.IMAGE}")
    for name in ("good", "bad"):
        request = s.job_request(name, bucket, source=f"{name}/in/", model="m")
        request["TransformOutput"]["S3OutputPath"] = f"s3://{bucket}/{name}/out"
        write(tmp_path / "job.json", json.dumps(request))
        aws("sagemaker", "create-transform-job", "--cli-input-json",
            f"file://{tmp_path / 'job.json'}")
    assert s.wait(service.client(), "good")["TransformJobStatus"] == "Completed"
    s.wait(service.client(), "bad")
    aws("sagemaker", "wait", "transform-job-completed-or-stopped", "--transform-job-name", "good")
    told = aws("sagemaker", "wait", "transform-job-completed-or-stopped", "--transform-job-name",
               "bad", expect=None)
    assert "terminal failure state" in told
    shown = json.loads(aws("sagemaker", "describe-transform-job", "--transform-job-name", "bad"))
    assert shown["TransformJobStatus"] == "Failed" and "record 4" in shown["FailureReason"]
    listed = aws("sagemaker", "list-transform-jobs", "--query",
                 "TransformJobSummaries[].TransformJobName", "--output", "text")
    assert listed.split() == ["bad", "good"]
    tail = aws("logs", "filter-log-events", "--log-group-name", "/aws/sagemaker/TransformJobs",
               "--log-stream-name-prefix", "bad/", "--filter-pattern", "record", "--query",
               "events[].message", "--output", "text")
    assert "record 4" in tail
    assert s3_server.get(bucket, "good/out/a.jsonl.out").count(b"\n") == 3


def environment_of(kind):
    made = subprocess.run([HERE / "../../scripts/test-clients", kind], capture_output=True,
                          text=True)
    if made.returncode != 0:
        pytest.skip(f"no client {kind}: {made.stderr[-300:]}")
    return pathlib.Path(made.stdout.strip())


def check_job(service, s3_server, bucket, command, name, environment):
    put(s3_server, bucket, name)
    told = run([*command, bucket, name, "good"], environment)
    assert "RESULT Completed" in told, told
    assert s3_server.get(bucket, f"{name}/out/a.jsonl.out").count(b"\n") == 3
    bad = f"{name}-bad"
    put(s3_server, bucket, bad, bad=True)
    failed = run([*command, bucket, bad, "bad"], environment)
    assert "RESULT" in failed and "record 4" in failed and "a.jsonl" in failed, failed
    return told, failed


@LONG
@pytest.mark.parametrize("kind", ["sdk2", "sdk3"])
def test_sagemaker_sdk_waits_with_logs(service, s3_server, bucket, kind):
    python = environment_of(kind) / "bin/python"
    environment = service.environment(s3_server) | {
        "HOME": str(service.folder), "COLUMNS": "500"}  # version 3 wraps what it prints
    told, failed = check_job(service, s3_server, bucket, [python, HERE / f"clients/{kind}.py"],
                             kind, environment)
    assert "[sagemaker logs]" in told, told  # printed by logs=True
    marked = [line for line in failed.splitlines() if "record 4" in line]
    assert len(marked) == len(set(marked)) or kind == "sdk3", "a line was printed twice"


@LONG
def test_javascript_sdk(service, s3_server, bucket):
    folder = environment_of("js")
    environment = service.environment(s3_server) | {"MILLRACE_TEST_JS": str(folder)}
    told, failed = check_job(service, s3_server, bucket, ["node", HERE / "clients/js.mjs"], "js",
                             environment)
    assert "RESULT Completed  true" in told
    assert "RESULT Failed" in failed
    assert "ERROR ValidationException" in told and "failed to satisfy constraint" in told


# The steps of Hugging Face's batch transform notebook, with only the endpoint changed.
NOTEBOOK_LINES = [{"inputs": text} for text in
                  ("@VirginAmerica plus you've added commercials to the experience... tacky.",
                   "@VirginAmerica seriously would pay $30 a flight for seats", "it was amazing!")]


def test_hugging_face_notebook_steps(service, s3_server, bucket):
    """JSON Lines of {"inputs": ...}, SingleRecord, application/json, Line, no AssembleWith: the
    result is [{...}][{...}] in one line, which the notebook then takes apart."""
    s3_server.put(bucket, "tweets/tweet_data.jsonl", json_lines(NOTEBOOK_LINES).encode())
    client = service.client()
    s.create_model(client, "hf", Environment={"HF_TASK": "text-classification"})
    client.create_transform_job(
        TransformJobName="hf-batch", ModelName="hf", BatchStrategy="SingleRecord",
        TransformInput={"DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/tweets/tweet_data.jsonl"}},
            "ContentType": "application/json", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out"},
        TransformResources={"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1})
    shown = s.wait(client, "hf-batch")
    assert shown["TransformJobStatus"] == "Completed", shown
    content = s3_server.get(bucket, "out/tweet_data.jsonl.out").decode()
    answers = json.loads("[" + content.replace("][", "],[") + "]")
    assert len(answers) == 3
    assert all(answer[0]["label"] in ("NEGATIVE", "POSITIVE") for answer in answers)
    seconds = (shown["TransformEndTime"] - shown["CreationTime"]).total_seconds()
    print(f"created to completed: {seconds:.2f} s")
