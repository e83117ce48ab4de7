"""What a result must say of the machine and the program that gave it, and how programs of bench/
take turns with others on that machine."""
import contextlib
import os
import pathlib
import shlex
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MILLRACE = os.environ.get("MILLRACE_BIN", str(ROOT / "build/release/millrace"))
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
WORK = CACHE / "millrace-dev" / "bench"
RESULTS = ROOT / "bench/results"
THREADS = len(os.sched_getaffinity(0))
_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "asimddp")
_HOLD_SECONDS = 40


def _cpu_fields():
    fields = {}
    for line in open("/proc/cpuinfo"):
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def cpu_flags():
    fields = _cpu_fields()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    return [flag for flag in _FLAGS if flag in flags]


def isa_name():
    """The CPU's class, which names its result files: speeds differ most between these."""
    flags = set(cpu_flags())
    if "avx512_vnni" in flags:
        return "avx512vnni"
    if "avx512f" in flags:
        return "avx512"
    if "avx_vnni" in flags:
        return "avxvnni"
    return "avx2" if "avx2" in flags else "baseline"


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False,
                          cwd=ROOT).stdout.strip()


def describe():
    fields = _cpu_fields()
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "status", "--porcelain", "--untracked-files=no", "--", "src",
                      "CMakeLists.txt", "CMakePresets.json", "cmake")
    return {"cpu": fields.get("model name", "unknown"),
            "cpu_family": fields.get("cpu family", ""), "cpu_model": fields.get("model", ""),
            "instructions": cpu_flags(), "cores": THREADS,
            "millrace": _output(MILLRACE, "--version"),
            "commit": ("unknown: MILLRACE_BIN was measured" if "MILLRACE_BIN" in os.environ
                       else commit + (" with changes" if changed else "")),
            "date": time.strftime("%Y-%m-%d")}


class Turns:
    """Measurements on a machine that others use too: `under` is a command that keeps it quiet while
    the command given to it runs, as `flock FILE` does where the others take that lock. It is held
    for so long at a time as others can wait. Without one, nothing is held."""

    def __init__(self, under):
        self._under = shlex.split(under) if under else []
        self._held = None
        self._since = 0.0

    @contextlib.contextmanager
    def measuring(self):
        if self._under and self._held is None:
            self._held = subprocess.Popen([*self._under, "sh", "-c", "echo; exec cat >/dev/null"],
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._held.stdout.readline()  # it runs: the machine is ours
            self._since = time.monotonic()
        yield
        if time.monotonic() - self._since > _HOLD_SECONDS:
            self.release()

    def release(self):
        if self._held is not None:
            self._held.stdin.close()
            self._held.wait()
            self._held = None
