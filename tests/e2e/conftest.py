"""Fixtures of the end-to-end tests: where the program is, and real servers to run it against."""

import itertools

import pytest

import s3_server as s3


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server for the whole session (s3_server.S3Server)."""
    if not s3.versitygw_path().exists():
        pytest.skip(f"no versitygw at {s3.versitygw_path()}")
    server = s3.S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


_numbers = itertools.count(1)


@pytest.fixture
def bucket(s3_server):
    """A new, empty bucket on it."""
    return s3_server.make_bucket(f"bucket-{next(_numbers)}")
