"""What CONTRIBUTING.md shows for a new part is a part that works."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pyagent.paths import REPOSITORY
from pyagent.policies.base import Policy
from pyagent.policies.user import load_policy
from pyagent.traces.mobility import FORMATS, read_tracks

BLOCKS = re.findall(
    r"```python\n(.*?)```", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL
)


def block(word: str) -> str:
    (text,) = (text for text in BLOCKS if word in text)
    return str(text)


def module(text: str) -> ModuleType:
    made = ModuleType("shown")
    exec(compile(text, "CONTRIBUTING.md", "exec"), made.__dict__)
    return made


def test_the_mobility_format_reads_a_file_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = module(block("semicolons")).FORMAT
    monkeypatch.setitem(FORMATS, shown.name, shown)
    path = tmp_path / "walk.txt"  # told by its content, not by its name
    path.write_text("a;0;0;0\na;10;8;0\nb;0;5;5\n")
    tracks = read_tracks(path)
    assert (tracks.format, list(tracks.tracks)) == ("semicolons", ["a", "b"])


def test_the_policy_that_ships_is_one() -> None:
    policy = module(block("class MiddlePolicy")).MiddlePolicy((1, 8, 32))
    assert isinstance(policy, Policy)
    assert policy.act(np.zeros(4, np.float32)) == 1
    assert policy.act(np.zeros(4, np.float32), np.array([True, False, False])) == 0


def test_the_users_own_policy_is_one(tmp_path: Path) -> None:
    path = tmp_path / "my.py"
    path.write_text(block("class MyPolicy"))
    policy = load_policy(f"{path}:MyPolicy")
    policy.prepare((1, 8, 32), 32)
    assert policy.name == "my-policy"


def test_the_codec_has_every_method_that_one_needs() -> None:
    text = block("class SignCodec").replace("register_codec(SignCodec())", "codec = SignCodec()")
    assert module(text).codec.name == "sign"  # abstract methods would be missed here
