"""kill -9 at random moments of a job with parts, joins and bad records, on S3 and on files: nothing
partial is ever visible to a process that watches; the next run takes what is done, ends right and
leaves no upload. Half of MILLRACE_TEST_KILL_MOMENTS on each; 200 is the long form."""
import os
import random
import shutil
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import Cli, files_in, json_lines, write
from watch import BucketView, FolderView, Watcher

MOMENTS = int(os.environ.get("MILLRACE_TEST_KILL_MOMENTS", 40)) // 2
MOMENTS_WHILE_UPLOADING = MOMENTS // 4
OBJECTS = 3
RECORDS = 9_000  # of 1 KiB: an object's result is larger than two upload parts
BAD_EVERY = 1_000
JOB = ["--join-source", "Input", "--part-bytes", "1000000", "--on-record-error", "record"]
OUTPUTS = 2 * OBJECTS  # each has an errors file beside it


def make_objects():
    padding = "x" * 900
    return {f"{name}.jsonl": json_lines(
                {"id": i, "pad": padding,
                 ("inputs" if i % BAD_EVERY else "nothing"): f"great app {name} {i % 700}"}
                for i in range(RECORDS * (3 if name == "b" else 1)))
            for name in "abc"[:OBJECTS]}


class FilePlace:
    """Inputs and outputs in folders."""

    def __init__(self, folder):
        self.folder = folder
        self.source = folder / "in"
        for name, content in make_objects().items():
            write(self.source / name, content)

    def target(self, attempt):
        return self.folder / f"out-{attempt}"

    def view(self, attempt):
        return FolderView(self.target(attempt))

    def forget(self, attempt):
        shutil.rmtree(self.target(attempt), ignore_errors=True)


class S3Place:
    """The same on an S3 server."""

    def __init__(self, server, bucket):
        self.server, self.bucket = server, bucket
        self.source = f"s3://{bucket}/in/"
        for name, content in make_objects().items():
            server.put(bucket, f"in/{name}", content.encode())

    def target(self, attempt):
        return f"s3://{self.bucket}/out-{attempt}/"

    def view(self, attempt):
        return BucketView(self.server, self.bucket, f"out-{attempt}/")

    def forget(self, attempt):
        for key in self.server.list(self.bucket, f"out-{attempt}/"):
            self.server.request("DELETE", f"/{self.bucket}/{key}")


@pytest.fixture(params=["files", "s3"])
def place(request, cli, tmp_path):
    if request.param == "files":
        return FilePlace(tmp_path)
    server = request.getfixturevalue("s3_server")
    cli.extra_environment = server.environment
    return S3Place(server, request.getfixturevalue("bucket"))


def undisturbed(cli, model, place):
    """The right outputs, the job's duration, and when in it the first upload was there."""
    started = time.monotonic()
    cli.transform(model, place.source, place.target("whole"), *JOB)
    duration = time.monotonic() - started
    expected = place.view("whole").objects()
    assert len(expected) == OUTPUTS and sum(map(len, expected.values())) > 20_000_000
    place.forget("whole")
    with Watcher(place.view("watched"), expected) as watcher:
        started = time.monotonic()
        cli.transform(model, place.source, place.target("watched"), *JOB)
        watched_duration = time.monotonic() - started
        polls, partial, first_upload = watcher.finish()
    assert not partial and polls > 3
    place.forget("watched")
    begin = 0.3 if first_upload is None else (first_upload - started) / watched_duration
    return expected, duration, begin


def kill_at(cli, model, place, attempt, delay_s):
    """Kills a job after that time. False where it had ended by then."""
    process = cli.start("transform", "--model", model, "--input", place.source, "--output",
                        place.target(attempt), *JOB)
    try:
        process.wait(delay_s)
        ended = True
    except Exception:  # subprocess.TimeoutExpired: still running, as it should be
        process.kill()
        ended = False
    _, stderr = process.communicate()
    assert not ended or process.returncode == 0, stderr
    return not ended


def test_kill_at_any_moment(cli, tiny_model, place):
    expected, duration, upload_begin = undisturbed(cli, tiny_model, place)
    rng = random.Random(1)
    moments = [rng.uniform(0, 1) for _ in range(MOMENTS - MOMENTS_WHILE_UPLOADING)]
    moments += [rng.uniform(upload_begin, 1) for _ in range(MOMENTS_WHILE_UPLOADING)]
    killed = killed_while_uploading = resumed = 0
    for attempt, moment in enumerate(moments):
        with Watcher(place.view(attempt), expected) as watcher:
            if not kill_at(cli, tiny_model, place, attempt, moment * duration):
                moments.append(moment * 0.8)  # it was faster this time: once more, earlier
                assert len(moments) < 4 * MOMENTS
                place.forget(attempt)
                continue
            killed += 1
            killed_while_uploading += bool(place.view(attempt).uploads())
            after_kill = place.view(attempt).objects()
            run = cli.transform(tiny_model, place.source, place.target(attempt), *JOB,
                                exit_status=None)
            polls, partial, _ = watcher.finish()
        assert not partial, f"killed after {moment:.2f}: partial outputs were visible: {partial}"
        assert polls > 3
        if run.exit_status == 2 and len(after_kill) == OUTPUTS:
            pass  # it was killed on its way out: all was committed and the work area gone
        else:
            assert run.exit_status == 0, f"killed after {moment:.2f}: {run.stderr}"
            assert run.summary["failed_records"] == 5 * RECORDS // BAD_EVERY
            resumed += run.summary["resumed_records"]
        assert place.view(attempt).objects() == expected
        assert place.view(attempt).uploads() == []
        place.forget(attempt)
    assert killed >= MOMENTS
    assert resumed > MOMENTS * RECORDS / 4, "the next runs took up what was done"
    if isinstance(place, S3Place):
        assert killed_while_uploading >= MOMENTS_WHILE_UPLOADING
    assert not files_in(cli.home), "the runs that ended left no work area"


def wait_until_staged(cli, process, parts):
    """Until the job has so many results of parts in its work area: it is in its midst then."""
    while process.poll() is None:
        staged = [file for file in cli.work_root.glob("jobs/*/parts/*") if "." not in file.name]
        if len(staged) >= parts:
            return
        time.sleep(0.001)
    raise AssertionError(f"it ended by itself: {process.communicate()}")


@pytest.mark.parametrize("name", [[], ["--job-name", "nightly"]], ids=["derived-name", "same-name"])
def test_a_changed_command_does_not_resume_the_killed_one(millrace, tiny_model, tmp_path, name):
    cli = Cli(millrace, tmp_path / "home")
    place = FilePlace(tmp_path)
    process = cli.start("transform", "--model", tiny_model, "--input", place.source, "--output",
                        place.target(1), *JOB, *name)
    wait_until_staged(cli, process, 3)
    process.kill()
    process.communicate()
    shutil.rmtree(place.target(1), ignore_errors=True)
    run = cli.transform(tiny_model, place.source, place.target(1), *JOB, *name,
                        "--score-digits", "2")
    assert run.summary["records"] == 5 * RECORDS
    assert run.summary["resumed_records"] == 0
    lines = place.view(1).objects()["a.jsonl.out"].splitlines()
    assert all(len(line) < len(lines[0]) + 20 for line in lines)


def merged_lines(folder):
    for name, content in make_objects().items():
        write(folder / "in" / name, content)
    return ["--merge", "all.jsonl", *JOB]


def parquet_rows(folder):
    (folder / "in").mkdir()
    texts = [None if i % 77 == 0 else f"great app {i % 700} " + "x" * 300 for i in range(20_000)]
    pq.write_table(pa.table({"id": range(len(texts)), "text": texts}),
                   folder / "in" / "a.parquet", row_group_size=1000)
    return ["--text-column", "text", "--on-record-error", "drop"]


@pytest.mark.parametrize("make", [merged_lines, parquet_rows])
def test_kill_where_results_wait_to_be_put_together(cli, tiny_model, tmp_path, make, request):
    """Merged objects and Parquet: the errors file, too, is the one of an undisturbed run."""
    if make is parquet_rows:
        request.getfixturevalue("parquet")
    flags = make(tmp_path)
    refuse = {"MILLRACE_EMPTY": "error"}
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "whole", *flags, env=refuse)
    expected = files_in(tmp_path / "whole")
    assert len(expected) == 2 and all(expected.values())
    for parts in (1, 4, 9):
        process = cli.start("transform", "--model", tiny_model, "--input", tmp_path / "in",
                            "--output", tmp_path / f"{parts}", *flags, env=refuse)
        wait_until_staged(cli, process, parts)
        process.kill()
        process.communicate()
        assert not files_in(tmp_path / f"{parts}")
        run = cli.transform(tiny_model, tmp_path / "in", tmp_path / f"{parts}", *flags, env=refuse)
        assert run.summary["resumed_records"] > 0 and run.summary["failed_records"] > 0
        assert files_in(tmp_path / f"{parts}") == expected
