"""A model server that Millrace starts: what it finds, how it is stopped, and that nothing of it is
left, however the job or Millrace itself ends."""
import os
import pathlib
import re
import signal
import socket
import sys
import time

import pytest

from cli import write

SERVER = pathlib.Path(__file__).with_name("model_server.py")
LINES = ("--content-type", "text/plain", "--split-type", "Line", "--assemble-with", "None")


@pytest.fixture
def source(tmp_path):
    write(tmp_path / "in" / "a.txt", "one\ntwo\n")
    return tmp_path / "in"


def command(behaviour="", marker=""):
    """What runs the server; the marker tells its process from others."""
    return f"{sys.executable} {SERVER} serve {behaviour} {marker}"


def processes(marker):
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if marker.encode() in arguments and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def run(cli, source, temp, tmp_path, model_command, *flags, env=None, exit_status=0):
    return cli.run("transform", "--model-command", model_command, "--input", source, "--output",
                   tmp_path / "out", *LINES, *flags, env={"TMPDIR": str(temp)} | (env or {}),
                   exit_status=exit_status)


def test_it_is_started_fed_and_stopped(cli, source, temp, tmp_path):
    marker = f"marker-{tmp_path.name}"
    result = run(cli, source, temp, tmp_path, command(marker=marker))
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    assert "model: model loading" in result.stderr
    assert processes(marker) == []
    assert list(temp.iterdir()) == []
    port = int(re.search("env SAGEMAKER_BIND_TO_PORT=([0-9]+)", result.stderr)[1])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))  # nobody has it any more


def test_it_finds_sagemakers_variables_and_no_secrets(cli, source, temp, tmp_path):
    result = run(cli, source, temp, tmp_path, command(), "--batch-strategy", "SingleRecord",
                 "--max-concurrent-transforms", 2, "--env", "MY_SETTING=1",
                 env={"AWS_SECRET_ACCESS_KEY": "hidden", "DB_PASSWORD": "hidden"})
    for line in ("SAGEMAKER_BATCH=true", "SAGEMAKER_BATCH_STRATEGY=SINGLE_RECORD",
                 "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS=2", "MY_SETTING=1"):
        assert f"model: env {line}\n" in result.stderr
    assert "SAGEMAKER_MAX_PAYLOAD_IN_MB" not in result.stderr
    assert "hidden" not in result.stderr
    assert f"model: env TMPDIR={temp}/millrace-model-" in result.stderr


def test_credentials_are_passed_on_request(cli, source, temp, tmp_path):
    result = run(cli, source, temp, tmp_path, command(), "--pass-credentials",
                 env={"AWS_SECRET_ACCESS_KEY": "shown", "DB_PASSWORD": "hidden"})
    assert "model: env AWS_SECRET_ACCESS_KEY=shown\n" in result.stderr
    assert "hidden" not in result.stderr


def test_a_server_that_exits_ends_the_job_at_once_with_its_log(cli, source, temp, tmp_path):
    started = time.monotonic()
    result = run(cli, source, temp, tmp_path, command("exits"), exit_status=2)
    assert time.monotonic() - started < 10
    assert "the model's process ended with exit status 3; its last lines:" in result.stderr
    assert "\n  Traceback: no such weights\n" in result.stderr
    assert list(temp.iterdir()) == []


def test_a_server_that_has_no_room_says_which_setting_leaves_none(cli, source, temp, tmp_path):
    result = run(cli, source, temp, tmp_path, command(), "--model-memory-in-mb", 5, exit_status=2)
    assert "; --model-memory-in-mb leaves it 5 MiB of address space" in result.stderr


def test_a_command_that_does_not_exist_says_so(cli, source, temp, tmp_path):
    result = run(cli, source, temp, tmp_path, "no-such-program serve", exit_status=2)
    assert "ended with exit status 127" in result.stderr
    assert "no-such-program" in result.stderr


@pytest.mark.parametrize("retries", [0, 3])
def test_a_server_that_dies_of_a_record_fails_the_object_with_its_log(cli, source, temp, tmp_path,
                                                                      retries):
    result = run(cli, source, temp, tmp_path, command("dies"), "--invocations-max-retries", retries,
                 exit_status=1)
    assert "a.txt: records 1 to 2 (from byte 0): the model's process ended with exit status 9" in (
        result.stderr)
    assert "\n  killed by a bad record\n" in result.stderr


def test_a_server_that_never_answers_ping_is_stopped(cli, source, temp, tmp_path):
    marker = f"marker-{tmp_path.name}"
    result = run(cli, source, temp, tmp_path, command("silent", marker),
                 "--ping-timeout-in-seconds", 1, exit_status=2)
    assert "failed to respond to /ping" in result.stderr
    assert processes(marker) == []


def test_a_server_that_ignores_sigterm_is_killed(cli, source, temp, tmp_path):
    marker = f"marker-{tmp_path.name}"
    run(cli, source, temp, tmp_path, command("stubborn", marker),
        "--model-stop-timeout-in-seconds", 1)
    assert processes(marker) == []
    assert list(temp.iterdir()) == []


def test_the_folder_of_a_command_that_kills_its_supervisor_is_removed(cli, source, temp, tmp_path):
    result = run(cli, source, temp, tmp_path, "kill -9 $PPID", exit_status=2)
    assert "was ended by signal 9" in result.stderr
    assert list(temp.iterdir()) == []


def test_what_it_left_in_a_session_of_its_own_is_killed_too(cli, source, temp, tmp_path):
    marker = f"marker-{tmp_path.name}"
    stray = f"setsid sh -c 'sleep 600; : {marker}' & "
    run(cli, source, temp, tmp_path, stray + command(marker=marker))
    assert processes(marker) == []


@pytest.mark.parametrize("before", ["", "trap '' TERM; "])
def test_nothing_is_left_when_millrace_is_killed(cli, source, temp, tmp_path, before):
    marker = f"marker-{tmp_path.name}"
    process = cli.start("transform", "--model-command",
                        f"{before}sleep 601 & " + command("silent", marker),
                        "--input", source, "--output", tmp_path / "out", *LINES,
                        "--model-stop-timeout-in-seconds", 1, env={"TMPDIR": str(temp)})
    wait_until(lambda: len(processes(marker)) >= 3 and any(temp.iterdir()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: processes(marker) == [] and list(temp.iterdir()) == [])


def test_an_interrupted_job_stops_its_server(cli, source, temp, tmp_path):
    marker = f"marker-{tmp_path.name}"
    process = cli.start("transform", "--model-command", command("silent", marker), "--input",
                        source, "--output", tmp_path / "out", *LINES, env={"TMPDIR": str(temp)})
    wait_until(lambda: len(processes(marker)) >= 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert processes(marker) == []
