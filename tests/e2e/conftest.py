"""Fixtures of the end-to-end tests: the program, a tiny model, a real S3 server.

Everything is made here, so that the tests need no data but their own; those that use the review
collections find them through MILLRACE_TEST_DATA and are skipped without.
"""
import itertools
import os
import pathlib

import pytest

import s3_server as s3
from cli import Cli
from tiny_model import make_tiny_model

ROOT = pathlib.Path(__file__).resolve().parents[2]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def millrace():
    """Path of the program under test."""
    path = pathlib.Path(os.environ.get("MILLRACE_BIN", ROOT / "build/release/millrace"))
    if not path.exists():
        pytest.exit(f"no program at {path}: cmake --preset release && cmake --build --preset "
                    "release, or set MILLRACE_BIN", returncode=2)
    return path


@pytest.fixture
def cli(millrace, tmp_path_factory):
    """The command line, with a home folder of its own."""
    return Cli(millrace, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A DistilBERT of random weights, labels NEGATIVE and POSITIVE."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def temp(tmp_path):
    """The folder that temporary files of a model lie in."""
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


@pytest.fixture
def parquet(cli, tiny_model, tmp_path):
    """Skips where the program was built without Apache Arrow."""
    source = tmp_path / "no.parquet"
    source.write_bytes(b"PAR1")
    run = cli.transform(tiny_model, source, tmp_path / "no", exit_status=None)
    source.unlink()
    if run.exit_status == 2 and "built without Apache Arrow" in run.stderr:
        pytest.skip("this program was built without Apache Arrow")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server for the whole session (s3_server.S3Server)."""
    if not s3.versitygw_path().exists():
        pytest.skip(f"no versitygw at {s3.versitygw_path()}")
    server = s3.S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def bucket(s3_server):
    """A new, empty bucket on it."""
    return s3_server.make_bucket(f"bucket-{next(_numbers)}")


@pytest.fixture(scope="session")
def test_data():
    """The folder of review collections; tests that need it are skipped without."""
    folder = pathlib.Path(os.environ.get("MILLRACE_TEST_DATA", ROOT.parent / "shared"))
    if not (folder / "data").exists():
        pytest.skip(f"no test data in {folder}: set MILLRACE_TEST_DATA")
    return folder
