"""Models in container images: what podman or docker is asked for, that nothing of it is left, and,
where this machine can run containers, a real one."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from cli import write
from test_model_command import LINES, processes, wait_until

FAKE = pathlib.Path(__file__).with_name("fake_engine.py")
SERVER_SOURCE = pathlib.Path(__file__).with_name("container_server.cc")
IMAGE = "registry.test/my/model:1"


class Engine:
    """The stand-in and what it was asked."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.settings(images=[IMAGE])

    def settings(self, **settings):
        (self.folder / "settings.json").write_text(json.dumps({"images": [IMAGE]} | settings))

    @property
    def calls(self):
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def call(self, *begin):
        """The one call that begins so."""
        found = [call for call in self.calls if call[:len(begin)] == list(begin)]
        assert len(found) == 1, self.calls
        return found[0]

    def removed(self):
        name = option(self.call("run"), "--name")
        return ["rm", "--force", "--volumes", name] in self.calls


def option(arguments, name):
    return arguments[arguments.index(name) + 1]


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path / "engine")


@pytest.fixture
def source(tmp_path):
    write(tmp_path / "in" / "a.txt", "one\ntwo\n")
    return tmp_path / "in"


@pytest.fixture
def arguments(tmp_path, source):
    return ["transform", "--container-engine", FAKE, "--model-image", IMAGE, "--input", source,
            "--output", tmp_path / "out", *LINES]


@pytest.fixture
def run(cli, engine, temp, arguments):
    def call(*flags, env=None, exit_status=0):
        return cli.run(*arguments, *flags, exit_status=exit_status,
                       env={"FAKE_ENGINE": str(engine.folder), "TMPDIR": str(temp)} | (env or {}))
    return call


def test_an_image_is_started_with_serve_fed_and_removed(run, engine, temp, tmp_path):
    done = run("--model-network", "full")
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    started = engine.call("run")
    assert started[-2:] == [IMAGE, "serve"]
    assert "--rm" in started and option(started, "--pull") == "never"
    host, port, inner = option(started, "--publish").split(":")
    assert (host, inner) == ("127.0.0.1", "8080") and int(port) > 0
    assert "no-new-privileges" in started
    assert "--network" not in started and "--mount" not in started and "--memory" not in started
    assert "millrace: model: model loading" in done.stderr
    assert engine.removed()
    assert not processes(str(engine.folder)) and not list(temp.iterdir())


def test_it_finds_sagemakers_variables_and_nothing_of_this_machines(run, engine):
    run("--model-network", "full", "--env", "MY_SETTING=7", "--env", "LINES=a\nb",
        "--max-payload-in-mb", "2", env={"AWS_SECRET_ACCESS_KEY": "secret", "MY_TOKEN": "secret"})
    found = (engine.folder / "environment").read_text().splitlines()
    assert set(found) == {"MY_SETTING=7", "SAGEMAKER_BATCH=true", "SAGEMAKER_BIND_TO_PORT=8080",
                          "SAGEMAKER_MAX_PAYLOAD_IN_MB=2", "SM_MODEL_DIR=/opt/ml/model"}
    # A file of variables has no way to write this one.
    assert option(engine.call("run"), "--env") == "LINES=a\nb"


def test_credentials_are_passed_on_request(run, engine):
    run("--model-network", "full", "--pass-credentials", env={"AWS_SECRET_ACCESS_KEY": "secret"})
    assert "AWS_SECRET_ACCESS_KEY=secret" in (engine.folder / "environment").read_text()


def test_the_model_is_mounted_and_limits_are_passed_on(run, engine, tmp_path):
    folder = tmp_path / 'odd, "name"'
    write(folder / "weights.txt", "w")
    run("--model-network", "full", "--model", folder, "--model-memory-in-mb", "512",
        "--model-cpus", "2")
    started = engine.call("run")
    quoted = str(folder).replace('"', '""')
    assert option(started, "--mount") == (
        f'type=bind,"source={quoted}",target=/opt/ml/model,readonly')
    assert option(started, "--memory") == option(started, "--memory-swap") == "512m"
    assert option(started, "--cpus") == "2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reaches a container's own address")
def test_it_is_alone_in_a_network_of_its_own(run, engine, tmp_path):
    engine.settings(address=f"127.{os.getpid() % 250 + 1}.7.9")
    run()
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    name = option(engine.call("run"), "--name")
    made = engine.call("network", "create")
    assert "--internal" in made and made[-1] == name
    assert option(engine.call("run"), "--network") == name
    assert engine.calls.index(["network", "rm", name]) > engine.calls.index(
        ["rm", "--force", "--volumes", name])


def test_without_root_its_published_port_is_used(run, engine, tmp_path):
    engine.settings(version="Docker version 28.2.2", info="[name=seccomp name=rootless]")
    run()
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    assert "--internal" in engine.call("network", "create")
    assert engine.removed()


def test_an_image_that_does_not_exist_says_so(run, engine, tmp_path):
    engine.settings(images=[])
    done = run(exit_status=2)
    assert f"the image {IMAGE} is not on this machine, and cannot be pulled" in done.stderr
    assert "name unknown" in done.stderr
    assert not [call for call in engine.calls if call[0] == "run"]
    assert not (tmp_path / "out").exists()


def test_an_engine_that_is_not_there_says_so(cli, arguments, tmp_path):
    changed = [a if a != FAKE else "/nowhere/podman" for a in arguments]
    done = cli.run(*changed, exit_status=2)
    assert "--container-engine: /nowhere/podman is no program" in done.stderr
    without = [a for a in arguments if a not in (FAKE, "--container-engine")]
    done = cli.run(*without, env={"PATH": str(tmp_path)}, exit_status=2)
    assert "neither podman nor docker" in done.stderr


@pytest.mark.parametrize("flags, named", [
    (("--model-image", "--privileged"), "--model-image"),
    (("--model-command", "true"), "--model-command"),
    (("--model", "http://127.0.0.1:1"), "--model-image starts a server"),
    (("--model-network", "some"), "--model-network"),
])
def test_settings_that_make_no_sense_are_refused(run, flags, named):
    flags = [f"{flags[0]}={flags[1]}"]
    assert named in run(*flags, exit_status=2).stderr


def test_a_container_that_exits_ends_the_job_with_its_log(run, engine):
    engine.settings(behaviour="exits")
    done = run("--model-network", "full", exit_status=2)
    assert "ended with exit status 3" in done.stderr and "no such weights" in done.stderr
    assert engine.removed()


def test_a_container_that_never_answers_ping_is_removed(run, engine):
    engine.settings(behaviour="silent")
    done = run("--model-network", "full", "--ping-timeout-in-seconds", "5", exit_status=2)
    assert "failed to respond to /ping" in done.stderr
    assert engine.removed() and not processes(str(engine.folder))


def test_a_container_that_ignores_sigterm_is_killed(run, engine):
    engine.settings(behaviour="stubborn")
    run("--model-network", "full", "--model-stop-timeout-in-seconds", "1")
    assert engine.removed() and not processes(str(engine.folder))


def test_it_is_removed_when_millrace_is_killed(cli, engine, temp, arguments):
    engine.settings(behaviour="silent")
    running = cli.start(*arguments, "--model-network", "full",
                        env={"FAKE_ENGINE": str(engine.folder), "TMPDIR": str(temp)})
    wait_until(lambda: (engine.folder / "environment").exists())
    running.send_signal(signal.SIGKILL)
    running.communicate()
    wait_until(engine.removed)
    wait_until(lambda: not processes(str(engine.folder)))
    wait_until(lambda: not list(temp.iterdir()))


def test_what_a_killed_supervisor_left_is_removed_by_the_next_job(run, engine):
    # A number that no process has had yet, and ours, which lives.
    mine = f"{os.getpid()}-{start_time(os.getpid())}"
    engine.settings(containers=["millrace-4194303-1-1", f"millrace-{mine}-1", "postgres"],
                    networks=["millrace-4194303-1-1"])
    run("--model-network", "full")
    asked = option(engine.call("ps"), "--filter")
    assert asked.startswith("label=millrace.host=")
    assert f"--label={asked.removeprefix('label=')}" in join_pairs(engine.call("run"))
    assert ["rm", "--force", "--volumes", "millrace-4194303-1-1"] in engine.calls
    assert ["network", "rm", "millrace-4194303-1-1"] in engine.calls
    assert not [c for c in engine.calls if c[-1] in (f"millrace-{mine}-1", "postgres")]


def start_time(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]


def join_pairs(call):
    return [f"{name}={value}" for name, value in zip(call, call[1:])]


# --- a real one ---

# What an engine may need on a machine whose own limits are lower than those it sets by default.
SMALL_MACHINE = """[engine]
runtime="runc"
[containers]
default_ulimits=["nofile=1024:1024","nproc=4096:4096"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A program that needs nothing around it."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run(["g++", "-std=c++20", "-static", "-O1", SERVER_SOURCE, "-o",
                    folder / "server"], check=True)
    return folder / "server"


@pytest.fixture(scope="module")
def container(server):
    """(engine, image, environment) of an image made from scratch; a reason where there is none."""
    (server.parent / "Dockerfile").write_text(
        'FROM scratch\nCOPY server /server\nENTRYPOINT ["/server"]\n')
    (server.parent / "containers.conf").write_text(SMALL_MACHINE)
    image = f"localhost/millrace-test:{os.getpid()}"
    reasons = []
    for engine in filter(None, map(shutil.which, ("podman", "docker"))):
        for more in ({}, {"CONTAINERS_CONF": str(server.parent / "containers.conf")}):
            environment = os.environ | more
            built = tried(engine, "build", "--quiet", "--tag", image, server.parent,
                          env=environment)
            # Without its argument the program ends with status 2.
            ran = built and tried(engine, "run", "--rm", image, env=environment)
            if built.returncode == 0 and ran.returncode == 2:
                yield engine, image, more
                tried(engine, "image", "rm", "--force", image, env=environment)
                return
            reasons.append(f"{engine}: {(built.stderr or ran.stderr).strip()[-200:]}")
    yield "this machine runs no containers: " + ("; ".join(reasons) or "no podman, no docker")


def tried(*command, env=None):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=env,
                          timeout=120)


@pytest.fixture(params=["image", "command"])
def started(request, server, cli, source, tmp_path, temp):
    """Runs a job on the server, in a container, and as a plain process."""
    base = ["transform", "--input", source, "--output", tmp_path / "out", *LINES]
    if request.param == "command":
        return [*base, "--model-command", f"exec {server} serve"], {"TMPDIR": str(temp)}, None
    found = request.getfixturevalue("container")
    if isinstance(found, str):
        pytest.skip(found + "; the same runs through --model-command")
    engine, image, environment = found
    # Without root, images lie below the home folder of who built them.
    own = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    environment = environment | own
    return ([*base, "--container-engine", engine, "--model-image", image],
            environment | {"TMPDIR": str(temp)}, engine)


def left(engine, environment):
    """Containers and networks of ours."""
    if engine is None:
        return []
    lines = []
    for what in (("ps", "--all"), ("network", "ls")):
        listed = tried(engine, *what, "--filter", "label=millrace.host", "--format",
                       "{{.Names}}" if what[0] == "ps" else "{{.Name}}",
                       env=os.environ | environment)
        lines += listed.stdout.split()
    return lines


def test_a_real_server_is_fed_and_nothing_is_left(started, cli, tmp_path, temp):
    arguments, environment, engine = started
    write(tmp_path / "model" / "weights.txt", "0.5\n")
    more = ("--model", tmp_path / "model", "--model-memory-in-mb", "256") if engine else ()
    done = cli.run(*arguments, *more, env=environment)
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    assert "model: env SAGEMAKER_BATCH=true" in done.stderr
    if engine:
        assert "model: weights: 0.5" in done.stderr
        assert "model: model folder: Read-only file system" in done.stderr
        assert "model: network: Network is unreachable" in done.stderr
    assert not left(engine, environment) and not list(temp.iterdir())


def test_a_real_server_is_gone_after_kill_9(started, cli, temp, tmp_path):
    arguments, environment, engine = started
    write(tmp_path / "in" / "a.txt", "one\n" * 1_000_000)  # minutes, one by one
    running = cli.start(*arguments, "--batch-strategy", "SingleRecord", env=environment)
    wait_until(lambda: list(temp.iterdir()) and (not engine or left(engine, environment)))
    running.send_signal(signal.SIGKILL)
    running.communicate()
    wait_until(lambda: not left(engine, environment) and not list(temp.iterdir()))


BAD_SERVERS = {
    "exits": (2, ("ended with exit status 3", "no such weights")),
    "silent": (2, ("failed to respond to /ping with HTTP 200 within 2 s", "it answered 503")),
    "refuses": (1, ("a.txt: records 1 to 2", "Bad HTTP status received from algorithm: 500: one")),
    "cuts": (1, ("a.txt: records 1 to 2", "lost after 8 bytes of the reply")),
    "unbounded": (0, ()),
}


@pytest.mark.parametrize("behaviour", BAD_SERVERS)
def test_of_a_real_server_that_is_bad_nothing_is_left(started, cli, temp, behaviour):
    arguments, environment, engine = started
    exit_status, expected = BAD_SERVERS[behaviour]
    mounts = mounted()
    done = cli.run(*arguments, "--env", f"BEHAVIOUR={behaviour}", "--ping-timeout-in-seconds", "2",
                   "--invocations-max-retries", "0", env=environment, exit_status=exit_status)
    for text in expected:
        assert text in done.stderr
    assert not left(engine, environment) and not list(temp.iterdir())
    assert mounted() == mounts


def mounted():
    return set(pathlib.Path("/proc/self/mounts").read_text().splitlines())


def test_a_network_is_there_when_it_is_allowed(started, cli, tmp_path):
    arguments, environment, engine = started
    if engine is None:
        pytest.skip("a process has this machine's network")
    done = cli.run(*arguments, "--model-network", "full", env=environment)
    assert (tmp_path / "out" / "a.txt.out").read_text() == "one\ntwo\n"
    assert "model: network: leads on" in done.stderr
    assert not left(engine, environment)
