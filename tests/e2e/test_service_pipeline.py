"""Inference pipelines by the API: CreateModel with Containers, as boto3 has it."""
import botocore.exceptions
import pytest

import service as s
from cli import json_lines
from model_server import ModelServer

TEXTS = ["  GREAT app ", "I HATE it", "ok"]


def lowered(request):
    return 200, request.body.lower(), request.headers["content-type"]


@pytest.fixture
def steps(cli, s3_server, tmp_path):
    """A service that knows a server of ours beside AWS's images."""
    with ModelServer(lowered) as server:
        running = s.Service(cli, tmp_path / "service", "--threads", "1", "--image",
                            f"local/lower={server.url}", environment=s3_server.environment)
        yield running, server
        running.stop()


def create(client, containers, name="two", **more):
    return client.create_model(ModelName=name, ExecutionRoleArn=s.ROLE, Containers=containers,
                               **more)


def refused(client, containers, **more):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        create(client, containers, **more)
    error = raised.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return error["Message"]


def test_a_pipeline_runs_from_create_to_results(steps, s3_server, bucket):
    service, server = steps
    client = service.client()
    containers = [{"ContainerHostname": "lower", "Image": "local/lower"},
                  {"ContainerHostname": "label", "Image": s.IMAGE,
                   "Environment": {"MILLRACE_ECHO_INPUT": "1", "MILLRACE_OUTPUT": "columns"}}]
    create(client, containers, InferenceExecutionConfig={"Mode": "Serial"})
    shown = client.describe_model(ModelName="two")
    assert [c["ContainerHostname"] for c in shown["Containers"]] == ["lower", "label"]
    assert shown["Containers"][1]["Environment"] == containers[1]["Environment"]
    assert "PrimaryContainer" not in shown
    assert shown["InferenceExecutionConfig"] == {"Mode": "Serial"}
    s3_server.put(bucket, "in/a.jsonl", json_lines({"inputs": text} for text in TEXTS).encode())
    client.create_transform_job(**s.job_request("j", bucket, model="two"))
    ended = s.wait(client, "j")
    assert ended["TransformJobStatus"] == "Completed", ended
    lines = s3_server.get(bucket, "out/a.jsonl.out").decode().splitlines()
    assert [line.startswith(f'{{"text":"{text.lower()}","predicted_label":')
            for line, text in zip(lines, TEXTS)] == [True] * len(TEXTS)
    assert len(server.invocations) == 1


def test_a_failure_names_the_step(steps, s3_server, bucket):
    service, server = steps
    client = service.client()
    create(client, [{"ContainerHostname": "lower", "Image": "local/lower"},
                    {"ContainerHostname": "label", "Image": s.IMAGE}])
    server.answer = lambda _: (400, b"not these")
    s3_server.put(bucket, "in/a.jsonl", json_lines({"inputs": text} for text in TEXTS).encode())
    client.create_transform_job(**s.job_request("j", bucket, model="two"))
    ended = s.wait(client, "j")
    assert ended["TransformJobStatus"] == "Failed"
    assert "step 1 (lower): ClientError: 400: not these" in ended["FailureReason"]


def test_what_is_no_serial_pipeline_is_refused(steps):
    client = steps[0].client()
    one = {"Image": "local/lower"}
    assert "Direct" in refused(client, [one, one], InferenceExecutionConfig={"Mode": "Direct"})
    assert "Exactly one of PrimaryContainer and Containers must be specified" in refused(
        client, [one, one], PrimaryContainer=one)
    assert "Exactly one of PrimaryContainer and Containers must be specified" in refused(client, [])
    assert ("Value '" in (message := refused(client, [one] * 16)) and
            "Member must have length less than or equal to 15" in message)
    assert "must specify one for every container" in refused(
        client, [one, one | {"ContainerHostname": "b"}])
    assert "container 2: Image 'other'" in refused(client, [one, {"Image": "other"}])
