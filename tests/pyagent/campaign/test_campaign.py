"""Seeds, run folders and the episode pool."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from pyagent.campaign.collect import EpisodePool, Job
from pyagent.campaign.folder import FolderError, Plan, describe, git_commit, open_run_folder
from pyagent.campaign.progress import PhaseProgress
from pyagent.campaign.run import _look
from pyagent.campaign.seeds import MAX_RUN_SEED, Seeds
from pyagent.policies.base import Policy
from pyagent.policies.best_static import BestStaticPolicy
from tests.conftest import small_scenario
from tests.running import simulators

PLAN = Plan(small_scenario(), "splitsim run small")


@pytest.mark.parametrize("base", [0, 1, MAX_RUN_SEED])
def test_the_phases_of_a_run_never_share_a_seed(base: int) -> None:
    seeds = Seeds(base)
    learn = set(itertools.islice(seeds.learn(), 5000))
    tune, test = set(seeds.tune(1000)), set(seeds.test(1000))
    assert not learn & tune
    assert not learn & test
    assert not tune & test
    assert max(learn | tune | test) < 2**32


def test_runs_of_neighbouring_seeds_share_no_episode_of_the_usual_size() -> None:
    first = {*itertools.islice(Seeds(1).learn(), 1000), *Seeds(1).tune(1000), *Seeds(1).test(1000)}
    second = {*itertools.islice(Seeds(2).learn(), 1000), *Seeds(2).tune(1000), *Seeds(2).test(1000)}
    assert not first & second


def finished_run(path: Path) -> None:
    with open_run_folder(path, PLAN) as folder:
        folder.write_json("meta.json", describe(small_scenario(), "splitsim run", "finished"))
        folder.write_text("report.html", "old")


def test_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    finished_run(tmp_path / "run")
    with open_run_folder(tmp_path / "run", PLAN) as folder:
        assert {entry.name for entry in folder.path.iterdir()} == {
            ".lock",
            "logs",
            "config.yaml",
            "meta.json",
        }


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """With so many files that may still be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, before[1]))
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        for _ in range(count):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_run_whose_commit_cant_be_read_for_want_of_descriptors_does_not_begin(tmp_path: Path) -> None:
    """It would say "unknown", and never be resumed."""
    finished_run(tmp_path / "run")
    git_commit.cache_clear()
    with (
        pytest.raises(FolderError, match="open files"),
        descriptors_left(3),
        open_run_folder(tmp_path / "run", PLAN),
    ):
        pass
    assert (tmp_path / "run" / "report.html").read_text() == "old"
    with open_run_folder(tmp_path / "run", PLAN) as folder:
        assert json.loads((folder.path / "meta.json").read_text())["git_commit"] == git_commit()


@pytest.mark.parametrize("meta", ["{}", "not json", "[]", '{"schema": 1, "status": "finished"}'])
def test_a_folder_with_somebody_elses_meta_is_left_alone(tmp_path: Path, meta: str) -> None:
    (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(FolderError, match="no run of splitsim wrote"), open_run_folder(tmp_path, PLAN):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["meta.json"]


def test_a_strangers_file_in_a_run_folder_saves_the_folder(tmp_path: Path) -> None:
    finished_run(tmp_path / "run")
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(FolderError, match=r"notes\.txt"), open_run_folder(tmp_path / "run", PLAN):
        pass
    assert (tmp_path / "run" / "report.html").read_text() == "old"


def test_tables_are_whole_or_absent(tmp_path: Path) -> None:
    with open_run_folder(tmp_path / "run", PLAN) as folder:
        folder.write_json("summary.json", {"a": 1})
        with pytest.raises(TypeError):
            folder.write_json("summary.json", {"a": object()})
        assert json.loads((folder.path / "summary.json").read_text()) == {"a": 1}


@pytest.mark.parametrize(
    "left", [(), (".meta.json.partial",), ("meta.json",), ("meta.json", ".config.yaml.partial")]
)
def test_a_run_killed_before_it_began_can_be_resumed(tmp_path: Path, left: tuple[str, ...]) -> None:
    with open_run_folder(tmp_path, PLAN):
        pass
    for path in tmp_path.iterdir():
        if path.name not in (".lock", *left):
            path.rmdir() if path.is_dir() else path.unlink()
    for name in left:
        if name not in {path.name for path in tmp_path.iterdir()}:
            (tmp_path / name).write_text("ha")
    with open_run_folder(tmp_path, PLAN, resume=True) as folder:
        assert json.loads((folder.path / "meta.json").read_text())["status"] == "running"
        (folder.path / "summary.json").write_text("kept")
    with open_run_folder(tmp_path, PLAN, resume=True) as folder:
        assert (folder.path / "summary.json").read_text() == "kept"


def test_a_second_run_in_a_folder_is_told_that_there_is_a_first(tmp_path: Path) -> None:
    with (
        open_run_folder(tmp_path, PLAN),
        pytest.raises(FolderError, match="another run is using it"),
        open_run_folder(tmp_path, PLAN, resume=True),
    ):
        pass


class BrokenPolicyError(Exception):
    """What the failing job raises."""


def broken() -> Policy:
    raise BrokenPolicyError


@pytest.mark.ns3
def test_a_failing_episode_is_not_kept_waiting_by_those_before_it(tmp_path: Path) -> None:
    """A long episode stands before it in the order; its failure must end that one too."""
    long = small_scenario(requests={"count": 2000})
    jobs = [Job("oracle", "static", seed, 0, lambda: BestStaticPolicy(0, 3)) for seed in (1, 2)]
    jobs.insert(1, Job("oracle", "broken", 3, 0, broken))
    with pytest.raises(BrokenPolicyError):
        next(EpisodePool(long, tmp_path, workers=2).run(jobs))


@pytest.mark.ns3
def test_a_stopped_simulator_holds_nobody_up_who_leaves(tmp_path: Path) -> None:
    """Ctrl-C would else last as long as a simulator may be silent: minutes."""
    stopped = threading.Event()

    class Stopping(BestStaticPolicy):
        def act(self, context: object) -> int:
            if not stopped.is_set():
                for pid in _simulators():
                    os.kill(pid, signal.SIGSTOP)
                stopped.set()
            return 0

    jobs = [Job("oracle", "static", seed, 0, lambda: Stopping(0, 3)) for seed in (1, 2)]
    played = EpisodePool(small_scenario(), tmp_path, workers=1).run(jobs)
    threading.Thread(target=lambda: stopped.wait() and os.kill(os.getpid(), signal.SIGINT)).start()
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(played)
    assert time.monotonic() - begin < 60
    assert not _simulators()


def _simulators() -> list[int]:
    return [process.pid for process in simulators()]


def test_a_run_goes_on_where_the_scenarios_own_program_has_no_preview(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho 'Invalid command-line argument: --preview=x' >&2\nexit 1\n")
    program.chmod(0o755)
    scenario = small_scenario().model_copy(update={"program": program})
    with open_run_folder(tmp_path / "run", PLAN) as folder, PhaseProgress() as progress:
        _look(SimpleNamespace(scenario=scenario, seeds=Seeds(1), folder=folder, progress=progress))
        assert not (folder.path / "preview.json").exists()
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert f"program {program}: has no --preview" in notes[0]
    assert notes[0].endswith("the report's map has no sites and no coverage")
