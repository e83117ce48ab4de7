"""Jobs on S3: the same bytes as on files, nothing of a failed object, no upload left; what is wrong
with a bucket, a credential or a key is told."""
import pytest

from cli import files_in, json_lines, write
from fake_s3 import FakeS3

GOOD = json_lines({"id": i, "inputs": text}
                  for i, text in enumerate(("great app", "I hate it", "ok")))
OBJECTS = {"a.jsonl": GOOD, "b.jsonl": GOOD + '{"id": 3}\n' + GOOD,
           "sub/c d+é.jsonl": GOOD.replace("ok", "bad")}


@pytest.fixture
def on_s3(cli, s3_server):
    cli.extra_environment = s3_server.environment
    return cli


def put_all(server, bucket, objects, prefix="in/"):
    for key, content in objects.items():
        server.put(bucket, prefix + key, content.encode())


def get_all(server, bucket, prefix):
    return {key.removeprefix(prefix): server.get(bucket, key)
            for key in server.list(bucket, prefix)}


@pytest.mark.parametrize("flags", [[], ["--join-source", "Input"],
                                   ["--batch-strategy", "SingleRecord"]])
def test_one_bad_record_of_three_objects_on_s3_and_on_files(on_s3, tiny_model, tmp_path,
                                                           s3_server, bucket, flags):
    put_all(s3_server, bucket, OBJECTS)
    run = on_s3.transform(tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out/", *flags,
                          exit_status=1)
    outputs = get_all(s3_server, bucket, "out/")
    assert sorted(outputs) == ["a.jsonl.out", "sub/c d+é.jsonl.out"]
    assert s3_server.uploads(bucket) == []
    assert run.summary["status"] == "Failed" and run.summary["failed_objects"] == 1
    assert f"s3://{bucket}/in/b.jsonl" in run.stderr and "record 4 (" in run.stderr

    for name, content in OBJECTS.items():
        write(tmp_path / "in" / name, content)
    on_s3.transform(tiny_model, tmp_path / "in", tmp_path / "out", *flags, exit_status=1)
    assert files_in(tmp_path / "out") == outputs


def test_from_s3_to_files_and_back(on_s3, tiny_model, tmp_path, s3_server, bucket):
    put_all(s3_server, bucket, {"a.jsonl": GOOD})
    on_s3.transform(tiny_model, f"s3://{bucket}/in/a.jsonl", tmp_path / "out")
    write(tmp_path / "a.jsonl", GOOD)
    on_s3.transform(tiny_model, tmp_path / "a.jsonl", f"s3://{bucket}/out")
    assert files_in(tmp_path / "out") == get_all(s3_server, bucket, "out/")


def test_a_prefix_is_a_prefix_of_keys(on_s3, tiny_model, s3_server, bucket):
    put_all(s3_server, bucket, {"part-0.jsonl": GOOD, "part-1.jsonl": GOOD, "other.jsonl": GOOD})
    run = on_s3.transform(tiny_model, f"s3://{bucket}/in/part-", f"s3://{bucket}/out")
    assert run.summary["objects"] == 2
    assert sorted(s3_server.list(bucket, "out/")) == ["out/part-0.jsonl.out",
                                                      "out/part-1.jsonl.out"]


def test_a_large_output_goes_up_in_parts(on_s3, tiny_model, tmp_path, s3_server, bucket):
    padding = "x" * 900
    lines = json_lines({"id": i, "pad": padding, "inputs": f"great app {i % 50}"}
                       for i in range(20_000))
    s3_server.put(bucket, "in/large.jsonl", lines.encode())
    run = on_s3.transform(tiny_model, f"s3://{bucket}/in/large.jsonl", f"s3://{bucket}/out/",
                          "--join-source", "Input")
    assert run.summary["records"] == 20_000
    output = s3_server.get(bucket, "out/large.jsonl.out")
    assert output.count(b"\n") == 20_000 and output.startswith(b'{"SageMakerOutput":[{"label":')
    assert s3_server.uploads(bucket) == []
    write(tmp_path / "large.jsonl", lines)
    on_s3.transform(tiny_model, tmp_path / "large.jsonl", tmp_path / "out", "--join-source",
                    "Input")
    assert files_in(tmp_path / "out")["large.jsonl.out"] == output


def test_an_output_that_exists_is_not_replaced(on_s3, tiny_model, s3_server, bucket):
    put_all(s3_server, bucket, {"a.jsonl": GOOD})
    s3_server.put(bucket, "out/a.jsonl.out", b"precious")
    run = on_s3.transform(tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out/", exit_status=2)
    assert "a.jsonl.out" in run.stderr
    assert s3_server.get(bucket, "out/a.jsonl.out") == b"precious"


@pytest.mark.parametrize("what", ["access_key", "secret_key", "no_credential", "bucket",
                                  "output_bucket", "prefix", "endpoint"])
def test_what_is_wrong_is_told_before_anything_starts(on_s3, tiny_model, s3_server, bucket, what):
    put_all(s3_server, bucket, {"a.jsonl": GOOD})
    source, target = f"s3://{bucket}/in/", f"s3://{bucket}/out/"
    environment, words = dict(s3_server.environment), []
    if what == "access_key":
        environment["AWS_ACCESS_KEY_ID"] = "nobody"
        words = [bucket]
    elif what == "secret_key":
        environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
        words = [bucket, "SignatureDoesNotMatch"]
    elif what == "no_credential":
        del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        words = ["credential"]
    elif what == "bucket":
        source, words = "s3://no-such-bucket/in/", ["no-such-bucket"]
    elif what == "output_bucket":
        target, words = "s3://no-such-bucket/out/", ["no-such-bucket"]
    elif what == "prefix":
        source, words = f"s3://{bucket}/nothing/", ["nothing/"]
    elif what == "endpoint":
        environment["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:1"
        words = ["127.0.0.1"]
    on_s3.extra_environment = environment
    run = on_s3.transform(tiny_model, source, target, exit_status=None)
    expected = (1, 2) if what == "output_bucket" else (2,)
    assert run.exit_status in expected, run.stderr
    for word in words:
        assert word in run.stderr, run.stderr
    assert sorted(s3_server.list(bucket)) == ["in/a.jsonl"]
    assert s3_server.uploads(bucket) == []


def test_credentials_and_endpoint_from_a_profile(cli, tiny_model, tmp_path, s3_server, bucket):
    put_all(s3_server, bucket, {"a.jsonl": GOOD})
    values = s3_server.environment
    write(tmp_path / "credentials",
          f"[reviews]\naws_access_key_id = {values['AWS_ACCESS_KEY_ID']}\n"
          f"aws_secret_access_key = {values['AWS_SECRET_ACCESS_KEY']}\n")
    cli.extra_environment = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
                             "AWS_CONFIG_FILE": "/dev/null"}
    flags = ["--profile", "reviews", "--region", "us-east-1", "--endpoint-url", s3_server.url]
    cli.transform(tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out/", *flags)
    assert list(s3_server.list(bucket, "out/")) == ["out/a.jsonl.out"]
    run = cli.transform(tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out2/", "--profile",
                        "nobody", *flags[2:], exit_status=2)
    assert "nobody" in run.stderr


HOSTILE_KEYS = ["../../x.jsonl", "a//b.jsonl", "d/../../e.jsonl", "/g.jsonl",
                "h" * 1000 + ".jsonl"]


def test_keys_that_no_file_can_have_are_refused_and_nothing_escapes(cli, tiny_model, tmp_path):
    objects = {"in/" + key: GOOD.encode() for key in HOSTILE_KEYS}
    objects["in/good.jsonl"] = GOOD.encode()
    with FakeS3(objects) as server:
        cli.extra_environment = server.environment
        run = cli.transform(tiny_model, "s3://bucket/in/", tmp_path / "deep" / "er" / "out",
                            "--content-type", "application/jsonlines", "--split-type", "Line",
                            "--assemble-with", "Line", exit_status=1)
    assert list(files_in(tmp_path)) == ["deep/er/out/good.jsonl.out"]
    for key in ("../../x.jsonl", "a//b.jsonl", "d/../../e.jsonl", "/g.jsonl", "hhhh"):
        assert key in run.stderr, run.stderr
    assert run.summary["status"] == "Failed"


def test_a_long_key_of_short_components_is_a_file(cli, tiny_model, tmp_path):
    key = "/".join(["d" * 90] * 10) + ".jsonl"
    with FakeS3({"in/" + key: GOOD.encode()}) as server:
        cli.extra_environment = server.environment
        cli.transform(tiny_model, "s3://bucket/in/", tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == [key + ".out"]


def test_an_unreadable_key_fails_alone(cli, tiny_model, tmp_path):
    with FakeS3({"in/a.jsonl": GOOD.encode(), "in/b.jsonl": GOOD.encode()}) as server:
        server.refused.add("in/b.jsonl")
        cli.extra_environment = server.environment
        run = cli.transform(tiny_model, "s3://bucket/in/", tmp_path / "out", exit_status=1)
    assert list(files_in(tmp_path / "out")) == ["a.jsonl.out"]
    assert "b.jsonl" in run.stderr and "AccessDenied" in run.stderr
