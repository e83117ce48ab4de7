"""`millrace jobs clean`: what killed and failed jobs left on this machine, listed and removed."""
import os
import time

from cli import files_in, json_lines, write

BAD = "{}\n"


def leave_area(cli, model, folder, name, output=None):
    """A job that fails and leaves its work area."""
    source = write(folder / f"{name}-in.jsonl", json_lines([{"inputs": "ok"}]) + BAD)
    cli.transform(model, source, output or folder / f"{name}-out", "--job-name", name,
                  exit_status=1)
    area = cli.work_root / "jobs" / name
    assert (area / "journal").exists()
    return area


def make_old(area, seconds):
    then = time.time() - seconds
    for path in [*area.rglob("*"), area]:
        os.utime(path, (then, then))


def told(run):
    """What became of which job."""
    return {line.split()[-2]: line[:12].strip()
            for line in run.stdout.splitlines()}


def test_nothing_was_left(cli):
    assert cli.run("jobs", "clean").stdout == ""


def test_areas_are_listed_and_removed(cli, tiny_model, tmp_path):
    areas = [leave_area(cli, tiny_model, tmp_path, name) for name in ("one", "two")]
    run = cli.run("jobs", "clean", "--dry-run")
    assert told(run) == {"one": "would remove", "two": "would remove"}
    assert all(area.exists() for area in areas)
    assert str(tmp_path) in run.stdout, "where outputs lie"
    run = cli.run("jobs", "clean")
    assert told(run) == {"one": "removed", "two": "removed"}
    assert files_in(cli.work_root) == {}
    assert cli.run("jobs", "clean").stdout == ""


def test_young_ones_stay(cli, tiny_model, tmp_path):
    old = leave_area(cli, tiny_model, tmp_path, "old")
    young = leave_area(cli, tiny_model, tmp_path, "young")
    make_old(old, 8 * 86400)
    for _ in range(2):  # to look at one does not make it younger
        run = cli.run("jobs", "clean", "--older-than", "7d", "--dry-run")
        assert told(run) == {"old": "would remove", "young": "kept"}
    cli.run("jobs", "clean", "--older-than", "7d")
    assert not old.exists() and young.exists()
    for wrong in ("7", "d", "7w", "-1d", "1.5h"):
        run = cli.run("jobs", "clean", f"--older-than={wrong}", exit_status=2)
        assert "no time like" in run.stderr


def test_a_running_job_is_left_alone(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.jsonl", json_lines({"inputs": f"ok {i}"} for i in range(60_000)))
    process = cli.start("transform", "--model", tiny_model, "--input", source, "--output",
                        tmp_path / "out.jsonl", "--job-name", "busy", "--part-bytes", "20000")
    while not (cli.work_root / "jobs" / "busy" / "journal").exists():
        assert process.poll() is None
        time.sleep(0.002)
    run = cli.run("jobs", "clean")
    ended = process.poll() is not None
    process.communicate()
    assert not ended and told(run) == {"busy": "running"}
    assert process.returncode == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 60_000


def test_uploads_that_a_kill_left_are_aborted(cli, tiny_model, tmp_path, s3_server, bucket):
    cli.extra_environment = s3_server.environment
    padding = "x" * 2000
    s3_server.put(bucket, "in/a.jsonl", json_lines(
        {"inputs": "ok", "pad": padding} for _ in range(15_000)).encode())
    process = cli.start("transform", "--model", tiny_model, "--input", f"s3://{bucket}/in/",
                        "--output", f"s3://{bucket}/out/", "--join-source", "Input", "--part-bytes",
                        "100000000", "--job-name", "killed")
    while not s3_server.uploads(bucket):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert s3_server.uploads(bucket)
    # Without credentials it cannot be done, and the area stays.
    run = cli.run("jobs", "clean", exit_status=1,
                  env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert told(run) == {"killed": "failed"} and "killed: " in run.stderr
    run = cli.run("jobs", "clean")
    assert told(run) == {"killed": "removed"} and f"s3://{bucket}/" in run.stdout
    assert s3_server.uploads(bucket) == []
    assert files_in(cli.work_root) == {}


def test_a_work_area_in_s3_is_not_cleaned_by_it(cli):
    run = cli.run("jobs", "clean", "--work-dir", "s3://bucket/work", exit_status=2)
    assert "must be a local folder" in run.stderr
