"""Every scenario that ships does what it did when it was pinned, and the same once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyagent.paths import simulator_executable
from pyagent.sweep.identity import ns3_version
from tests.integration.episodes import same_record
from tests.validity import pin


def each(*quick: str) -> list[Any]:
    """All scenarios, slow but for some."""
    slow = [pytest.mark.slow, pytest.mark.timeout(600)]
    return [pytest.param(name, marks=[] if name in quick else slow) for name in pin.scenario_names()]


@pytest.mark.ns3
@pytest.mark.parametrize("name", each("default", "lte-cell-edge", "replay"))
def test_a_scenario_does_what_is_pinned(name: str) -> None:
    expected = pin.pinned(name)
    here = ns3_version(simulator_executable())
    if expected.get("ns3", here) != here:
        pytest.skip(f"pinned for ns-3 {expected['ns3']}, this is {here}")
    found = pin.digest(name, pin.first_episode(name))
    # First what can be read, so that a difference is seen where it is.
    for k, (now, then) in enumerate(zip(found["decisions"], expected["decisions"], strict=True)):
        assert now == then, f"decision {k} of {name}; where it is meant: python -m tests.validity.pin --help"
    assert found == expected


@pytest.mark.ns3
@pytest.mark.parametrize("name", each("replay"))
def test_a_scenario_played_again_is_the_same_to_the_bit(name: str) -> None:
    """In another process of ns-3, and with the one before it still in memory."""
    for (state, record), (again, once_more) in zip(pin.first_episode(name), pin.episode(name), strict=True):
        assert state.context.tobytes() == again.context.tobytes()
        assert (state.raw, state.position_m, state.sim_time_s) == (
            again.raw,
            again.position_m,
            again.sim_time_s,
        )
        assert same_record(record, once_more)


def test_every_scenario_is_pinned_and_every_change_logged() -> None:
    digests = {name: pin.pinned(name)["sha256"][:12] for name in pin.scenario_names()}
    assert pin.logged() == digests
    assert {path.stem for path in pin.FOLDER.glob("*.json")} == set(digests)


def test_a_change_is_kept_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CHANGES.md").write_text("# Log\n")
    monkeypatch.setattr(pin, "FOLDER", tmp_path)
    monkeypatch.setattr(pin, "LOG", tmp_path / "CHANGES.md")
    monkeypatch.setattr(pin, "episode", lambda name: [])
    made = {"sha256": "0" * 64}

    def digest(name: str, decisions: list[Any]) -> dict[str, Any]:
        return dict(made)

    monkeypatch.setattr(pin, "digest", digest)
    assert pin.main(["quiet"]) == 1
    with pytest.raises(SystemExit, match="2"):
        pin.main(["quiet", "--update"])
    assert pin.logged() == {}
    assert pin.main(["quiet", "--update", "--why", "a  first\nline"]) == 0
    assert (tmp_path / "CHANGES.md").read_text().endswith("| quiet | 000000000000 | a first line |\n")
    assert pin.main(["quiet"]) == 0
    assert pin.main(["quiet", "--update", "--why", "nothing changed"]) == 0
    assert "nothing" not in (tmp_path / "CHANGES.md").read_text()
    made["sha256"] = "1" * 64
    assert pin.main(["quiet"]) == 1
    assert pin.main(["quiet", "--update", "--why", "another"]) == 0
    assert pin.logged() == {"quiet": "1" * 12}
