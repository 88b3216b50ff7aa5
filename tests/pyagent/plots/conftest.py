"""A synthetic run folder, written once, and copies of it to damage."""

import shutil

import pytest
from synthetic_run import write_run


@pytest.fixture(scope="session")
def complete_run(tmp_path_factory):
    """Don't write to it."""
    return write_run(tmp_path_factory.mktemp("plots") / "run")


@pytest.fixture
def run(complete_run, tmp_path):
    """A copy to change."""
    return shutil.copytree(complete_run, tmp_path / "run")
