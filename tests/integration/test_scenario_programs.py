"""Scenarios in C++ on top of the library, driven by the same agent as a scenario file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from episodes import ALL_LOCAL, MIN_SPLIT, Decision, make_scenario, play, same_record

from pyagent.envs.simulator import Episode
from pyagent.paths import REPOSITORY, SimulatorNotFoundError, simulator_executable
from pyagent.scenario.compile import write_simulator_config
from pyagent.scenario.load import ScenarioError, parse_scenario
from pyagent.scenario.preview import NoPreviewError, check_in_ns3, preview
from pyagent.scenario.schema import Scenario

pytestmark = pytest.mark.ns3
EXAMPLES = REPOSITORY / "ns3_scenarios" / "examples"


def program(name: str) -> Path:
    path = simulator_executable().parent / "examples" / name
    assert path.exists(), f"{path} is not built: ninja -C build/ns3 splitsim-examples"
    return path


def example(name: str, count: int) -> Scenario:
    """The example's own file, with fewer requests, and the program where this build has it."""
    data = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    data["program"] = str(program(name))
    data["requests"] = {**data["requests"], "count": count}
    return parse_scenario(data, name)


@pytest.fixture(scope="module")
def corridor() -> list[Decision]:
    return play(example("split-corridor", 6), 1, MIN_SPLIT)


def test_the_programs_own_mobility_moves_the_ue(corridor: list[Decision]) -> None:
    """Up and down 40 m at 1.4 m/s, from the access point on."""
    for state, _ in corridor:
        walked_m = (1.4 * state.sim_time_s) % 80
        expected_m = walked_m if walked_m <= 40 else 80 - walked_m
        assert state.position_m == pytest.approx((expected_m, 0, 1.5), abs=1e-6)
        assert state.raw["speed_mps"] == pytest.approx(1.4)


def test_a_programs_records_are_complete_and_reproducible(corridor: list[Decision]) -> None:
    assert len(corridor) == 6
    assert any(not record.failed and record.uplink_packets > 0 for _, record in corridor)
    again = play(example("split-corridor", 6), 1, MIN_SPLIT)
    assert all(same_record(a, b) for (_, a), (_, b) in zip(corridor, again, strict=True))
    other = play(example("split-corridor", 6), 1, MIN_SPLIT, replicate=1)
    assert [record.arrival_s for _, record in other] == [record.arrival_s for _, record in corridor]
    assert not all(same_record(a, b) for (_, a), (_, b) in zip(corridor, other, strict=True))


def test_the_preview_is_that_of_the_program() -> None:
    """The UE goes as in an episode; the other UE and the coverage are those of the file."""
    scenario = example("split-corridor", 6)
    seen = preview(scenario, 1)
    walked_m = (1.4 * seen.time_s) % 80
    expected_m = np.where(walked_m <= 40, walked_m, 80 - walked_m)
    np.testing.assert_allclose(seen.ues_m[0, :, 0], expected_m, atol=1e-6)
    np.testing.assert_allclose(seen.ues_m[1], np.broadcast_to([10, 4, 1.2], seen.ues_m[1].shape))
    assert seen.site_names == ("ap-0",)
    assert seen.heat is not None
    west, east, _, _ = seen.heat.frame_m
    assert west < 0 < 40 < east
    # 10 dB a decade times the exponent of 3; heights differ by 1.5 m.
    distance_m = np.hypot(expected_m, 1.5)
    fall_db = seen.reception.snr_db[0][0] - seen.reception.snr_db[0]
    np.testing.assert_allclose(fall_db, 30 * np.log10(distance_m / distance_m[0]), atol=0.02)


def test_the_preview_of_a_link_of_ones_own_has_its_ues() -> None:
    seen = preview(example("split-custom-link", 2), 1)
    np.testing.assert_allclose(seen.ues_m[:, :, 0], (10 + seen.time_s)[None], atol=1e-6)


def test_the_deep_check_builds_the_programs_world(tmp_path: Path) -> None:
    refusing = script(tmp_path, "echo 'mine: link.x: is bad' >&2; exit 2")
    with pytest.raises(ScenarioError, match=r"^ns-3 refuses it: mine: link\.x: is bad$"):
        check_in_ns3(make_scenario(program=refusing))


def script(folder: Path, body: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "body",
    [
        "echo 'Invalid command-line argument: --preview=x' >&2; exit 1",  # as ns-3's CommandLine says
        "exit 0",
        "echo hello",
        "echo 3",
    ],
)
def test_a_program_without_a_preview_is_one_line(tmp_path: Path, body: str) -> None:
    program = script(tmp_path, body)
    with pytest.raises(NoPreviewError) as caught:
        preview(make_scenario(program=program), 1)
    assert str(caught.value) == (
        f"program {program}: has no --preview; valid: a program that runs by ScenarioProgram, "
        "built against this version (docs/own-scenario-cpp.md)"
    )


def test_a_program_that_is_no_scenario_program_has_no_preview() -> None:
    """random-walk reads its command line with ns-3's own CommandLine, and knows nothing of previews."""
    with pytest.raises(NoPreviewError):
        preview(make_scenario(program=program("random-walk")), 1)


def test_what_a_program_prints_does_not_hide_its_preview(tmp_path: Path) -> None:
    talking = script(tmp_path, f'echo "hello"; exec "{program("split-corridor")}" "$@"')
    data = yaml.safe_load((EXAMPLES / "split-corridor.yaml").read_text()) | {"program": str(talking)}
    assert len(preview(parse_scenario(data), 1, duration_s=2).ues_m) == 2


@pytest.fixture(scope="module")
def own_link() -> list[Decision]:
    return play(example("split-custom-link", 20), 1, MIN_SPLIT)


def test_a_link_of_ones_own_loses_as_its_formula_says(own_link: list[Decision]) -> None:
    """1 / (1 + (60 / d)^4) of the packets, the UE going away at 1 m/s from 10 m."""
    expected = lost = sent = 0.0
    for state, record in own_link:
        x_m, y_m, z_m = state.position_m
        share = 1 / (1 + (60 / (x_m**2 + y_m**2 + z_m**2) ** 0.5) ** 4)
        # No step is sent again before 60 m: what arrived came at the first sending.
        if share < 0.4 and record.retries.sum() == 0 and not record.failed:
            fragments = record.outcome.size
            sent += fragments
            lost += record.loss * fragments
            expected += share * fragments
    assert sent > 2000
    assert lost == pytest.approx(expected, rel=0.1)


def test_a_link_of_ones_own_reports_energy_and_state(own_link: list[Decision]) -> None:
    """0.8 W while a packet is on the 20 Mbit/s line, with 30 bytes of UDP, IP and PPP headers."""
    finished = [(state, record) for state, record in own_link if not record.failed]
    assert len(finished) > 5
    for state, record in finished:
        line_bytes = record.uplink_bytes + 30 * record.uplink_packets
        assert record.ue_radio_energy_j == pytest.approx(0.8 * 8 * line_bytes / 20e6, rel=1e-6)
        assert state.raw["phy_rate_mbps"] == 20


def test_the_examples_files_name_the_programs_that_the_build_makes() -> None:
    for name in ("split-corridor", "split-custom-link"):
        data = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
        assert (EXAMPLES / data["program"]).resolve() == REPOSITORY / "build/ns3/examples" / name


def test_a_program_that_can_not_be_run_is_one_line(tmp_path: Path) -> None:
    text = tmp_path / "program"
    text.write_text("not a program")
    scenario = make_scenario(program=text)
    with pytest.raises(SimulatorNotFoundError, match=r"^program /.*: not an executable file; build it$"):
        Episode(scenario, 1)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def test_a_program_says_in_one_line_what_it_can_not_use(tmp_path: Path) -> None:
    done = run(str(program("split-corridor")), "--config=/no/such/file.json")
    assert done.returncode == 2
    assert done.stderr.startswith("split-corridor: /no/such/file.json: can't be read")
    assert done.stderr.count("\n") == 1


def test_a_program_without_a_scenario_says_where_it_comes_from() -> None:
    done = run(str(program("split-corridor")), "--self=0")
    assert done.returncode == 2
    assert done.stderr == (
        "split-corridor: --config is missing; valid: a file that "
        "`splitsim scenario show NAME --ns3` printed\n"
    )


def test_a_program_answers_itself_as_an_agent_would(tmp_path: Path) -> None:
    """The same events happen, whoever answers."""
    scenario = make_scenario()
    config = write_simulator_config(scenario, tmp_path / "scenario.json")
    command = [str(simulator_executable()), f"--config={config}", "--simSeed=3", "--pace=1"]
    alone = run(*command, f"--self={ALL_LOCAL}")
    assert alone.returncode == 0
    assert '"events":' in alone.stdout
    with Episode(scenario, 3, log_dir=tmp_path / "log", options=["--pace=1"]) as episode:
        episode.begin()
        while not episode.decide(ALL_LOCAL)[2]:
            pass
    (log,) = (tmp_path / "log").glob("*.stdout.log")
    assert events(log.read_text()) == events(alone.stdout)
    bare = run(*command, "--bare=1")
    assert 0 < events(bare.stdout) <= events(alone.stdout)
    refused = run(*command, "--self=7")
    assert refused.returncode == 2
    assert refused.stderr == "splitsim-ns3: self: 7 is no action; valid: 0 to 2\n"


def events(stdout: str) -> int:
    return int(yaml.safe_load(stdout.splitlines()[-1])["events"])


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.model
def test_a_policy_is_trained_on_a_program(tmp_path: Path) -> None:
    """As docs/own-scenario-cpp.md has it."""
    data = yaml.safe_load((EXAMPLES / "split-custom-link.yaml").read_text())
    data |= {
        "program": str(program("split-custom-link")),
        "requests": {"count": 3},
        "model": {"splits": [1, 32], "prompts": 2},
        "targets": {"completion_s": 3.0},
        "evaluation": {"tune_seeds": 1, "test_seeds": 1, "replicates": 4, "imagined_steps": 256},
    }
    path = tmp_path / "my.yaml"
    path.write_text(yaml.safe_dump(data))
    splitsim = [sys.executable, "-m", "pyagent.cli", "run", str(path), "--budget", "4"]
    done = subprocess.run(
        [*splitsim, "--out", str(tmp_path / "run")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert done.returncode == 0, done.stderr
    assert "targets of best-static: " in done.stdout
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h2>Targets</h2>" in page
    assert re.search(r"<th[^>]*>completion_s</th>", page)
