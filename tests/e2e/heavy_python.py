"""An interpreter with PyTorch, Transformers and scikit-learn: the environment in which bench/
measures other engines, made once (it has 6 GB) and shared with it."""
import functools
import pathlib
import subprocess

import pytest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
FILES = ("requirements.txt", "requirements-pytorch.txt", "requirements-openvino.txt",
         "requirements-ctranslate2.txt")


@functools.cache
def heavy_python():
    """Its path. The test is skipped where it cannot be made."""
    script = ('source "$0/environment.sh"; cd "$0"; make_environment "${@}"; echo "$python"')
    done = subprocess.run(["bash", "-euc", script, str(BENCH), *FILES], stdout=subprocess.PIPE,
                          text=True, timeout=3600, check=False)
    python = pathlib.Path(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else None
    needed = "import torch, transformers, sklearn, joblib"
    if python is None or subprocess.run([str(python), "-c", needed], check=False).returncode != 0:
        pytest.skip("no environment with PyTorch, Transformers and scikit-learn")
    return python
