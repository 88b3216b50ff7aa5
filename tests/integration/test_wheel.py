"""A built wheel, installed in an environment of its own and used from another folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml

from llm_split.packages import default_cache_dir
from pyagent.paths import PROGRAM, REPOSITORY, build_folder, ns3_folder
from tests.conftest import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.ns3, pytest.mark.model, pytest.mark.timeout(1800)]

MODEL = "smollm2-135m"
PARTS = ("llm_split", "ns3_scenarios", "pyagent")


class Installation:
    """An environment with the wheel, this one's other packages, and a cache of its own for builds."""

    def __init__(self, folder: Path) -> None:
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        self.bin = folder / "venv" / "bin"
        (self.packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
        self.cache = folder / "cache"
        hidden = ("PYTHONPATH", "SPLITSIM_NS3", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self.env = kept | {"SPLITSIM_CACHE": str(self.cache)}

    def run(self, *command: str, timeout_s: float = 900.0) -> subprocess.CompletedProcess[str]:
        program, *arguments = command
        return subprocess.run(
            [str(self.bin / program), *arguments],
            cwd=self.elsewhere,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def ask(self, expression: str) -> str:
        """What a Python expression of the installed packages gives."""
        done = self.run("python", "-c", f"import pyagent.paths as paths; print({expression})")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def pip(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A copy: setuptools builds in the tree, where files of an earlier build would get into this one.
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    pip("--python", folder / "venv" / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    installation = Installation(folder)
    # Behind its own, so that only what it requires comes from here; torch is not installed a second time.
    shared = sysconfig.get_path("purelib")
    (installation.packages / "shared.pth").write_text(shared + "\n")
    shutil.rmtree(source)
    return installation


@pytest.fixture(scope="module")
def built(installed: Installation) -> Installation:
    """With this checkout's simulator where `splitsim build` would put its own: the same sources make it."""
    target = Path(installed.ask("paths.build_folder()"))
    target.mkdir(parents=True)
    shutil.copy(build_folder() / PROGRAM, target)
    for fetched in (MODEL, "texts"):
        (installed.cache / fetched).symlink_to(default_cache_dir() / fetched)
    return installed


def test_what_is_imported_lies_in_the_wheel_and_every_file_is_there(installed: Installation) -> None:
    assert Path(installed.ask("paths.REPOSITORY")) == installed.packages
    assert installed.ask("paths.is_checkout()") == "False"
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", *PARTS], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("no git clone, so no list of the files that must be there")
    hidden = {"ns3_scenarios/.clang-format"}
    for name in set(listed.stdout.split()) - hidden:
        assert (installed.packages / name).read_bytes() == (REPOSITORY / name).read_bytes(), name


def test_metadata_names_both_licences(installed: Installation) -> None:
    (info,) = installed.packages.glob("ns3_llm_split-*.dist-info")
    metadata = (info / "METADATA").read_text(encoding="utf-8")
    assert "License-Expression: MIT AND GPL-2.0-only\n" in metadata
    for name in ("LICENSE", "ns3_scenarios/LICENSE"):
        assert f"License-File: {name}\n" in metadata
        assert (info / "licenses" / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_doctor_names_what_is_missing_before_a_build(installed: Installation, tmp_path: Path) -> None:
    installed.env["SPLITSIM_CACHE"] = str(tmp_path)
    try:
        done = installed.run("splitsim", "doctor", "--json")
    finally:
        installed.env["SPLITSIM_CACHE"] = str(installed.cache)
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    failed = {name: check["remedy"] for name, check in checks.items() if check["status"] == "fail"}
    assert failed.keys() == {"simulator", "model weights", "text", "live loop"}
    assert failed["simulator"] == "splitsim build"
    assert failed["model weights"] == "splitsim models fetch smollm2-135m"
    assert failed["text"] == "splitsim texts fetch wikitext-2"


def test_the_installed_sources_are_what_cmake_wants(installed: Installation, tmp_path: Path) -> None:
    """Every source that the project names is there; that the same files compile, `make build` shows."""
    sources = installed.packages / "ns3_scenarios"
    command = ["cmake", "-S", str(sources), "-B", str(tmp_path), "-G", "Ninja"]
    command.append(f"-DNS3_ROOT={ns3_folder() / 'ns3'}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_doctor_demo_and_run_work_in_another_folder(built: Installation) -> None:
    done = built.run("splitsim", "doctor", "--json")
    assert done.returncode == 0, done.stdout
    demo = built.run("splitsim", "demo", "--json")
    assert demo.returncode == 0, demo.stderr
    (built.elsewhere / "tiny.yaml").write_text(yaml.safe_dump(SMALL))
    run = built.run("splitsim", "run", "tiny.yaml", "--budget", "4", "--out", "tiny", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1])["policies"]
    meta = json.loads((built.elsewhere / "tiny" / "meta.json").read_text())
    assert (meta["status"], meta["git_commit"]) == ("finished", "unknown")
