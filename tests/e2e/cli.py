"""Runs the program as a user does: arguments in, exit status, summary line and files out."""
import dataclasses
import json
import os
import pathlib
import subprocess

TIMEOUT_S = 120


@dataclasses.dataclass
class Run:
    exit_status: int
    stdout: str
    stderr: str

    @property
    def summary(self):
        """The last line of stdout: a JSON object."""
        return json.loads(self.stdout.splitlines()[-1])


class Cli:
    def __init__(self, program, home):
        self.program = pathlib.Path(program)
        self.home = pathlib.Path(home)
        self.extra_environment = {}

    @property
    def work_root(self):
        """Where work areas lie unless --work-dir says otherwise."""
        return self.home / "state" / "millrace"

    def environment(self, more=None):
        """The user's own settings and credentials never reach a test."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("AWS_", "MILLRACE_", "XDG_"))}
        kept |= {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state"),
                 "AWS_EC2_METADATA_DISABLED": "true"}
        return kept | self.extra_environment | (more or {})

    def start(self, *arguments, env=None, **options):
        return subprocess.Popen([str(self.program), *map(str, arguments)],
                                env=self.environment(env), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run(self, *arguments, stdin="", env=None, exit_status=0, cwd=None, preexec=None,
            timeout=TIMEOUT_S):
        """Runs to the end and expects that exit status; None: any."""
        done = subprocess.run([str(self.program), *map(str, arguments)], cwd=cwd,
                              env=self.environment(env), input=stdin.encode(),
                              capture_output=True, timeout=timeout, preexec_fn=preexec)
        run = Run(done.returncode, done.stdout.decode("utf-8", "surrogateescape"),
                  done.stderr.decode("utf-8", "surrogateescape"))
        if exit_status is not None:
            assert run.exit_status == exit_status, (
                f"exit status {run.exit_status}, expected {exit_status}\n"
                f"arguments: {arguments}\nstdout: {run.stdout}\nstderr: {run.stderr}")
        return run

    def transform(self, model, source, output, *flags, exit_status=0, **options):
        return self.run("transform", "--model", model, "--input", source, "--output", output,
                        *flags, exit_status=exit_status, **options)


def write(path, content):
    """Writes text or bytes, with the folders above; returns the path."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def is_stamp(name):
    """Beside each output a hidden file says what the output was made of."""
    return pathlib.Path(name).name.startswith(".millrace-stamp-")


def files_in(folder):
    """Every file below a folder, hidden ones too but for stamps: relative name -> bytes."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if not path.is_dir() and not is_stamp(path)}


def json_lines(values):
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
