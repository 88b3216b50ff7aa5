"""What the README and the page on the split model say to type works."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from pyagent.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SPLIT_MODEL = (REPOSITORY / "docs" / "split-model.md").read_text(encoding="utf-8")


@pytest.mark.ns3
@pytest.mark.model
@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README + SPLIT_MODEL, re.DOTALL))
def test_a_python_block_runs(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_every_make_target_and_linked_file_exists() -> None:
    targets = set(re.findall(r"make ([a-z0-9]+)", README)) - {"it"}
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert {"sim", "test", "help"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#]+)", README):
        assert (REPOSITORY / link).exists(), link
