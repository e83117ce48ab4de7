"""An interpreter with PyTorch, Transformers and scikit-learn: the environment in which bench/
measures other engines, made once (it has 6 GB) and shared with it. With MILLRACE_TEST_PYTORCH=found
it is used only where it is there already."""
import functools
import hashlib
import os
import pathlib
import subprocess

import pytest

from python_models import CACHE

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
FILES = ("requirements.txt", "requirements-pytorch.txt", "requirements-openvino.txt",
         "requirements-ctranslate2.txt")


@functools.cache
def heavy_python():
    """Its path. The test is skipped where it cannot be made."""
    stamp = hashlib.sha256(b"".join((BENCH / file).read_bytes() for file in FILES)).hexdigest()
    ready = CACHE.parent / f"venv-bench-{stamp[:16]}" / "installed-pytorch"
    if os.environ.get("MILLRACE_TEST_PYTORCH") == "found" and not ready.exists():
        pytest.skip("PyTorch is not installed: scripts/test --long, or bench/compare, does that")
    script = ('source "$0/environment.sh"; cd "$0"; make_environment "${@}"; echo "$python"')
    done = subprocess.run(["bash", "-euc", script, str(BENCH), *FILES], stdout=subprocess.PIPE,
                          text=True, timeout=3600, check=False)
    python = pathlib.Path(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None
    needed = "import torch, transformers, sklearn, joblib"
    if python is None or subprocess.run([str(python), "-c", needed], check=False).returncode != 0:
        pytest.skip("no environment with PyTorch, Transformers and scikit-learn")
    return python
