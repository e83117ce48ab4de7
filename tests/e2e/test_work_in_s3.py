"""--work-dir s3://...: a job whose machine is lost goes on on another one, with the same bytes. The
other machine is a home folder of its own, on a real S3 server."""
import time

import pytest

from cli import Cli, json_lines, write

RECORDS = 40_000  # one second, so that there is something to kill
BAD_EVERY = 500
FLAGS = ["--join-source", "Input", "--part-bytes", "400000", "--on-record-error", "record"]


def make_objects(server, bucket):
    padding = "x" * 900
    for name, count in (("a", 300), ("b", RECORDS), ("c", 300)):
        content = json_lines({"id": i, "pad": padding,
                              ("inputs" if i % BAD_EVERY else "nothing"): f"great app {name} {i}"}
                             for i in range(count))
        server.put(bucket, f"in/{name}.jsonl", content.encode())


def contents(server, bucket, prefix):
    return {key.removeprefix(prefix): server.get(bucket, key)
            for key in server.list(bucket, prefix)}


class Machines:
    """Homes of different machines that share a bucket."""

    def __init__(self, millrace, model, server, bucket, tmp_path):
        self.millrace, self.model, self.server, self.bucket = millrace, model, server, bucket
        self.tmp_path = tmp_path
        self.count = 0

    def new(self):
        self.count += 1
        cli = Cli(self.millrace, self.tmp_path / f"machine-{self.count}")
        cli.extra_environment = self.server.environment
        return cli

    def arguments(self, out):
        return ["--model", self.model, "--input", f"s3://{self.bucket}/in/", "--output",
                f"s3://{self.bucket}/{out}/", "--work-dir", f"s3://{self.bucket}/areas/here",
                *FLAGS]

    def work(self):
        return self.server.list(self.bucket, "areas/")

    def kill_when_staged(self, cli, out, parts):
        process = cli.start("transform", *self.arguments(out))
        staged = set()  # a part that was put into its output is removed
        while process.poll() is None and len(staged) < parts:
            staged |= {key for key in self.work() if "/parts/" in key and "." not in key}
        process.kill()
        output = process.communicate()
        assert process.returncode == -9, f"it ended by itself: {sorted(staged)} {output}"


@pytest.fixture
def machines(millrace, tiny_model, s3_server, bucket, tmp_path):
    make_objects(s3_server, bucket)
    return Machines(millrace, tiny_model, s3_server, bucket, tmp_path)


def forget_lock_owner(machines, lease_ms=None):
    """The lock as a process on another machine would have left it."""
    [key] = [key for key in machines.work() if "/lock/" in key]
    fields = machines.server.get(machines.bucket, key).decode().rstrip("\n").split("\t")
    assert fields[0] == "lock" and len(fields) == 8
    fields[2] = str(lease_ms or fields[2])
    fields[5] = "another-boot"
    machines.server.put(machines.bucket, key, ("\t".join(fields) + "\n").encode())


def test_a_job_goes_on_on_another_machine(machines):
    whole = machines.new().run("transform", *machines.arguments("whole"))
    assert machines.work() == {}, "a completed job leaves nothing"
    expected = contents(machines.server, machines.bucket, "whole/")
    assert len(expected) == 6
    for parts in (1, 3, 5):
        out = f"out-{parts}"
        machines.kill_when_staged(machines.new(), out, parts)
        forget_lock_owner(machines, lease_ms=700)
        run = machines.new().run("transform", *machines.arguments(out))
        assert "is locked by process" in run.stderr and "waiting up to 1 s" in run.stderr
        assert run.summary["resumed_records"] > 0
        assert run.summary["records"] == whole.summary["records"]
        assert contents(machines.server, machines.bucket, f"{out}/") == expected
        assert machines.server.uploads(machines.bucket) == []
        assert machines.work() == {}


def test_after_a_kill_the_same_machine_need_not_wait(machines):
    machines.kill_when_staged(machines.new(), "out", 2)
    started = time.monotonic()
    run = machines.new().run("transform", *machines.arguments("out"))
    assert "waiting" not in run.stderr and run.summary["resumed_records"] > 0
    assert time.monotonic() - started < 25


def test_a_job_that_runs_is_refused_elsewhere(machines):
    process = machines.new().start("transform", *machines.arguments("out"))
    while not any("/lock/" in key for key in machines.work()):
        assert process.poll() is None
        time.sleep(0.005)
    run = machines.new().run("transform", *machines.arguments("out"), exit_status=2)
    assert "the job is running already" in run.stderr and "areas/here/jobs/" in run.stderr
    process.communicate()
    assert process.returncode == 0 and machines.work() == {}


def test_the_work_area_holds_no_credentials(machines):
    machines.kill_when_staged(machines.new(), "out", 2)
    secrets = [machines.server.environment[name].encode()
               for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    for key in machines.work():
        content = machines.server.get(machines.bucket, key)
        assert not any(secret in content for secret in secrets), key
    machines.new().run("transform", *machines.arguments("out"))


def test_the_work_area_may_be_in_s3_while_the_data_is_here(machines, tmp_path):
    source = write(tmp_path / "in.jsonl", json_lines({"inputs": f"ok {i}"} for i in range(3000)))
    run = machines.new().run("transform", "--model", machines.model, "--input", source, "--output",
                             tmp_path / "out.jsonl", "--part-bytes", "10000", "--work-dir",
                             f"s3://{machines.bucket}/areas")
    assert run.summary["records"] == 3000 and machines.work() == {}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 3000


@pytest.mark.parametrize("work, told", [
    ("in/areas", "below the input"), ("out", "below the output"), ("out/w", "below the output")])
def test_it_may_not_lie_among_inputs_or_outputs(machines, work, told):
    arguments = machines.arguments("out")
    arguments[arguments.index("--work-dir") + 1] = f"s3://{machines.bucket}/{work}"
    run = machines.new().run("transform", *arguments, exit_status=2)
    assert told in run.stderr
    assert machines.server.list(machines.bucket, "out") == {}


def test_a_dry_run_takes_no_lock(machines):
    machines.new().run("transform", *machines.arguments("out"), "--dry-run")
    assert machines.work() == {}
