"""The REST surface is what its document says, for whatever schemathesis thinks of (in the long
form, MILLRACE_LONG_TESTS=1), and `millrace jobs` is a client of the API."""
import json
import os
import pathlib
import subprocess

import pytest

import service as s
from cli import json_lines, write

HERE = pathlib.Path(__file__).resolve().parent
REVIEWS = [{"inputs": text} for text in ("great app", "I hate it", "ok")]


@pytest.fixture
def service(cli, s3_server, tmp_path):
    running = s.Service(cli, tmp_path / "service", "--threads", "1",
                        environment=s3_server.environment, keys=None)
    yield running
    running.stop()


@pytest.fixture
def two_jobs(service, s3_server, bucket):
    client = service.client()
    s3_server.put(bucket, "in/a.jsonl", json_lines(REVIEWS).encode())
    s3_server.put(bucket, "bad/a.jsonl", b'{"inputs": 7}\n')
    s.create_model(client)
    client.create_transform_job(**s.job_request("good", bucket))
    client.create_transform_job(**s.job_request("bad", bucket, source="bad/"))
    for name in ("good", "bad"):
        s.wait(client, name)


@pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1", reason="MILLRACE_LONG_TESTS=1")
def test_the_document_tells_the_truth(service, two_jobs):
    made = subprocess.run([HERE / "../../scripts/test-clients", "schemathesis"],
                          capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"no schemathesis: {made.stderr[-300:]}")
    python = pathlib.Path(made.stdout.strip()) / "bin/python"
    # A page token is any text for the document, but only the server's own are taken. A path that is
    # far too long is refused as such.
    config = write(service.folder / "schemathesis.toml",
                   "[checks.negative_data_rejection]\n"
                   "expected-statuses = [400, 403, 404, 405, 409, 431]\n")
    done = subprocess.run(
        [python, "-m", "schemathesis.cli", "--config-file", config, "run",
         service.url + "/v1/openapi.json", "--url", service.url, "--max-examples", "40",
         "--exclude-checks", "positive_data_acceptance", "--seed", "1"],
        capture_output=True, text=True, timeout=600, cwd=service.folder)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert service.client().list_transform_jobs()  # and it still answers


def test_the_document_is_that_of_the_sources(service):
    import urllib.request
    source = json.loads((HERE / "../../docs/openapi.json").read_text())
    for name in ("json", "yaml"):
        with urllib.request.urlopen(f"{service.url}/v1/openapi.{name}", timeout=20) as reply:
            assert json.load(reply) == source


def test_millrace_jobs(service, two_jobs, cli, s3_server, bucket):
    cli.extra_environment = {"AWS_ENDPOINT_URL_SAGEMAKER": service.url,
                             "AWS_CONFIG_FILE": os.devnull,
                             "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    listed = cli.run("jobs", "list").stdout.splitlines()
    assert [line.split()[1:] for line in listed] == [["Failed", "bad"], ["Completed", "good"]]
    assert cli.run("jobs", "list", "--status", "Failed").stdout.count("\n") == 1
    shown = json.loads(cli.run("jobs", "describe", "good").stdout)
    assert shown["Millrace"]["Progress"]["RecordsDone"] == 3
    cli.run("jobs", "wait", "good")
    told = cli.run("jobs", "wait", "bad", exit_status=1).stderr
    assert "Failed" in told and "record 1" in told
    assert "record 1" in cli.run("jobs", "logs", "bad", "--follow").stdout
    assert "ValidationException" in cli.run("jobs", "stop", "good", exit_status=2).stderr
    s3_server.put(bucket, "bad/a.jsonl", json_lines(REVIEWS).encode())
    cli.run("jobs", "resume", "bad")
    cli.run("jobs", "wait", "bad")
    cli.run("jobs", "delete", "bad")
    assert "ValidationException" in cli.run("jobs", "describe", "bad", exit_status=2).stderr
    cli.extra_environment["AWS_ENDPOINT_URL_SAGEMAKER"] = s3_server.url
    assert "is it millrace?" in cli.run("jobs", "list", exit_status=2).stderr


def test_millrace_jobs_signs_its_requests(cli, tmp_path):
    service = s.Service(cli, tmp_path / "signed")
    try:
        keys = {"AWS_ACCESS_KEY_ID": s.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": s.SECRET_KEY,
                "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        assert cli.run("jobs", "list", "--endpoint-url", service.url, env=keys).stdout == ""
        told = cli.run("jobs", "list", "--endpoint-url", service.url, exit_status=2,
                       env=keys | {"AWS_SECRET_ACCESS_KEY": "wrong"}).stderr
        assert "InvalidSignatureException" in told
        told = cli.run("jobs", "list", "--endpoint-url", service.url, exit_status=2).stderr
        assert "MissingAuthenticationTokenException" in told
        told = cli.run("jobs", "delete", "a%2Fb", "--endpoint-url", service.url, env=keys,
                       exit_status=2).stderr
        assert "ResourceNotFound" in told
    finally:
        service.stop()
