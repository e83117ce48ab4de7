"""Jobs over outputs that exist: what is there is kept only where it is what the job would write,
and what would spoil a run is said before work starts."""
import json

import pytest

from cli import files_in, json_lines, write
from tiny_model import make_tiny_model

OBJECTS = 100


def content(number):
    return json_lines({"inputs": f"{word} {number}"} for word in ("great app", "awful crash"))


class Place:
    """Where a test's inputs and outputs lie: files or S3."""

    def __init__(self, put, read_outputs, source, output):
        self.put, self.outputs = put, read_outputs
        self.source, self.output = source, output


@pytest.fixture(params=["files", "s3"])
def place(request, cli, tmp_path):
    if request.param == "files":
        return Place(lambda name, text: write(tmp_path / "in" / name, text),
                     lambda: files_in(tmp_path / "out"), tmp_path / "in", tmp_path / "out")
    server, bucket = request.getfixturevalue("s3_server"), request.getfixturevalue("bucket")
    cli.extra_environment = server.environment
    return Place(lambda name, text: server.put(bucket, f"in/{name}", text.encode()),
                 lambda: {key.removeprefix("out/"): server.get(bucket, key)
                          for key in server.list(bucket, "out/")},
                 f"s3://{bucket}/in/", f"s3://{bucket}/out")


@pytest.fixture
def other_model(tmp_path_factory):
    return make_tiny_model(tmp_path_factory.mktemp("models") / "v2", seed=8)


def test_a_new_model_redoes_all_and_the_objects_of_the_night_are_done_alone(
        cli, place, tiny_model, other_model):
    def run(model, mode, exit_status=0):
        return cli.transform(model, place.source, place.output, "--if-exists", mode,
                             exit_status=exit_status)

    for i in range(OBJECTS):
        place.put(f"{i}.jsonl", content(i))
    assert run(tiny_model, "fail").summary["kept_objects"] == 0
    of_v1 = place.outputs()
    assert len(of_v1) == OBJECTS

    # skip never mixes versions: nothing is started, nothing has changed.
    place.put("new.jsonl", content("new"))
    refused = run(other_model, "skip", exit_status=2)
    assert "made by another model" in refused.stderr and "update" in refused.stderr
    assert place.outputs() == of_v1

    updated = run(other_model, "update").summary
    assert (updated["records"], updated["kept_objects"]) == (2 * OBJECTS + 2, 0)
    of_v2 = place.outputs()
    assert all(of_v2[name] != of_v1[name] for name in of_v1)

    for name in ("x.jsonl", "y.jsonl", "z.jsonl"):
        place.put(name, content(name))
    for mode, records in (("skip", 6), ("update", 0), ("skip", 0)):
        summary = run(other_model, mode).summary
        assert (summary["records"], summary["objects"]) == (records, OBJECTS + 4)
        assert summary["kept_objects"] == OBJECTS + 4 - records // 2
    assert {name: place.outputs()[name] for name in of_v2} == of_v2

    # A changed input, other settings, another precision: skip says so, update does what differs.
    place.put("7.jsonl", content("changed"))
    assert "its input has changed" in run(other_model, "skip", exit_status=2).stderr
    assert run(other_model, "update").summary["records"] == 2
    joined = cli.transform(other_model, place.source, place.output, "--if-exists", "skip",
                           "--join-source", "Input", exit_status=2)
    assert "under other settings" in joined.stderr
    precise = cli.transform(other_model, place.source, place.output, "--if-exists", "skip",
                            "--precision", "int8", exit_status=2)
    assert "another precision" in precise.stderr
    assert "exists already" in run(other_model, "fail", exit_status=2).stderr


def test_what_somebody_else_wrote_is_never_kept(cli, place, tiny_model):
    place.put("a.jsonl", content(1))
    place.put("b.jsonl", content(2))
    cli.transform(tiny_model, place.source, place.output)
    good = place.outputs()
    if isinstance(place.output, str):
        pytest.skip("S3 objects carry their own metadata")
    write(place.output / "a.jsonl.out", "edited")
    refused = cli.transform(tiny_model, place.source, place.output, "--if-exists", "skip",
                            exit_status=2)
    assert "nothing tells what it was made from" in refused.stderr
    summary = cli.transform(tiny_model, place.source, place.output, "--if-exists",
                            "update").summary
    assert (summary["kept_objects"], summary["records"]) == (1, 2)
    assert place.outputs() == good


def test_a_merged_output_is_kept_or_done_again_as_a_whole(cli, place, tiny_model):
    flags = ("--merge", "all.jsonl", "--if-exists", "update")
    place.put("a.jsonl", content(1))
    place.put("b.jsonl", content(2))
    assert cli.transform(tiny_model, place.source, place.output, *flags).summary["records"] == 4
    kept = cli.transform(tiny_model, place.source, place.output, *flags).summary
    assert (kept["records"], kept["kept_objects"]) == (0, 2)
    place.put("c.jsonl", content(3))
    again = cli.transform(tiny_model, place.source, place.output, *flags).summary
    assert (again["records"], again["kept_objects"]) == (6, 0)
    assert place.outputs()["all.jsonl"].count(b"\n") == 6


def test_boto3_users_reach_it_through_environment(cli, tiny_model, tmp_path):
    write(tmp_path / "in/a.jsonl", content(1))
    request = {"TransformJobName": "again", "Environment": {"MILLRACE_IF_EXISTS": "update"}}
    file = write(tmp_path / "request.json", json.dumps(request))
    runs = [cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--cli-input-json", file)
            for _ in range(2)]
    assert [run.summary["kept_objects"] for run in runs] == [0, 1]


def test_an_output_inside_the_input_starts_nothing(cli, place, tiny_model):
    place.put("a.jsonl", content(1))
    inside = f"{place.source}/out".replace("in//", "in/")
    refused = cli.transform(tiny_model, place.source, inside, exit_status=2)
    assert "inside the input" in refused.stderr
    assert place.outputs() == {}


def test_a_prefix_that_takes_the_outputs_too_starts_nothing(cli, tiny_model, s3_server, bucket):
    cli.extra_environment = s3_server.environment
    s3_server.put(bucket, "test/a.jsonl", content(1).encode())
    refused = cli.transform(tiny_model, f"s3://{bucket}/test", f"s3://{bucket}/test_output",
                            exit_status=2)
    assert "inside the input" in refused.stderr
    cli.transform(tiny_model, f"s3://{bucket}/test/", f"s3://{bucket}/test_output")


def test_a_model_among_the_inputs_starts_nothing(cli, place, tiny_model):
    place.put("a.jsonl", content(1))
    place.put("sub/model.tar.gz", "not data")
    refused = cli.transform(tiny_model, place.source, place.output,
                            "--content-type", "application/jsonlines", exit_status=2)
    assert "model.tar.gz" in refused.stderr and "model's file" in refused.stderr
    assert place.outputs() == {}


def test_marker_files_are_named_before_work_starts(cli, place, tiny_model):
    place.put("a.jsonl", content(1))
    for marker in ("_SUCCESS", "_delta_log/0.json", ".part.crc"):
        place.put(marker, "x")
    run = cli.transform(tiny_model, place.source, place.output)
    assert run.summary["objects"] == 1
    assert all(f"{marker}: its name begins" in run.stderr
               for marker in ("_SUCCESS", "_delta_log/0.json", ".part.crc"))


def test_a_job_of_the_same_name_over_other_inputs_does_not_replace_outputs(cli, tiny_model,
                                                                            tmp_path):
    for day in ("monday", "tuesday"):
        write(tmp_path / day / "a.jsonl", json_lines([{"inputs": f"good {day}"}]))
        write(tmp_path / day / "b.jsonl", "{bad\n")
    cli.transform(tiny_model, tmp_path / "monday", tmp_path / "out", "--job-name", "nightly",
                  exit_status=1)
    before = files_in(tmp_path / "out")
    run = cli.transform(tiny_model, tmp_path / "tuesday", tmp_path / "out", "--job-name", "nightly",
                        exit_status=2)
    assert "exists already" in run.stderr and files_in(tmp_path / "out") == before
    write(tmp_path / "monday" / "b.jsonl", json_lines([{"inputs": "good"}]))
    cli.transform(tiny_model, tmp_path / "monday", tmp_path / "out", "--job-name", "nightly")
    assert sorted(files_in(tmp_path / "out")) == ["a.jsonl.out", "b.jsonl.out"]
