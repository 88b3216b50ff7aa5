"""The page on parts of one's own: every block on it is run, and what it says of errors is what is printed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import blocks, steps
from test_own_scenario import compiler, succeed

from pyagent.paths import REPOSITORY

PAGE = REPOSITORY / "docs" / "add-a-part.md"
STEPS = list(steps(PAGE))
BLOCKS = list(blocks(PAGE.read_text(encoding="utf-8")))
FILES = {step.path: step.text for step in STEPS if step.kind == "file"}
SNIPPETS = [step.text for step in STEPS if step.kind == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder, with every file that the page has him save."""
    made = tmp_path_factory.mktemp("reader")
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


def started(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python in the reader's folder; registers are global, so it is a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def python(folder: Path, code: str, **variables: str) -> str:
    """Standard output of a program that must succeed."""
    done = started(folder, "-c", code, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_has_what_is_tried_here() -> None:
    assert set(FILES) == {"sign.py", "sign.yaml", "means.py", "distance_link.py"}
    codec, policy = SNIPPETS
    assert "import sign" in codec
    assert "class MyPolicy" in policy
    languages = [block.language for block in BLOCKS if block.language]
    assert languages.count("cpp") == 1
    assert len(languages) == len(FILES) + len(SNIPPETS) + 1


def test_the_codecs_snippet_runs(folder: Path) -> None:
    # 4096 channels in fragments of at most 1400 bytes: 4 + 4096 / 8 = 516 bytes fit in one.
    assert python(folder, SNIPPETS[0]) == "1\n"


def test_the_policy_is_one(folder: Path) -> None:
    from pyagent.policies.user import load_policy

    (folder / "my.py").write_text(SNIPPETS[1])
    load_policy(f"{folder / 'my.py'}:MyPolicy").prepare((1, 16, 32), 32)


def test_all_three_are_loaded_from_the_variable_and_reach_spawned_processes(folder: Path) -> None:
    code = """
import json, multiprocessing, sys
import numpy as np
import pyagent

def told(scenario):
    from llm_split.codecs import codec_names
    from pyagent.surrogate_names import surrogate_names
    return scenario.link.half_loss_m, "sign" in codec_names(), "means" in surrogate_names()

if __name__ == "__main__":
    place = {"model": "constant", "position_m": [0, 0, 1]}
    base = {"name": "x", "mobility": place, "program": sys.executable}
    link = {"technology": "distance", "half_loss_m": 40}
    scenario = pyagent.load_scenario(base | {"link": link, "model": {"codec": "sign"}})
    from pyagent.scenario.compile import simulator_config
    from pyagent.sweep.identity import configuration
    from pyagent.sweep.spec import RunSpec
    spec = RunSpec(scenario=scenario, policies=("random",), budget=1, seed=1, surrogate="means", buy="all")
    again = RunSpec.model_validate_json(spec.model_dump_json())
    try:
        pyagent.load_scenario(base | {"link": {"technology": "distance", "half_los_m": 4}})
    except pyagent.api.UserError as error:
        wrong = str(error)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (far,) = pool.map(told, [scenario])
    print(json.dumps([simulator_config(scenario)["link"], far, again == spec, wrong]))
"""
    (folder / "spawning.py").write_text(code)
    plugins = os.pathsep.join(str(folder / name) for name in FILES if name.endswith(".py"))
    run = "import runpy; runpy.run_path('spawning.py', run_name='__main__')"
    link, far, same, wrong = json.loads(python(folder, run, SPLITSIM_PLUGINS=plugins))
    assert link == {"technology": "distance", "rate_mbps": 20.0, "half_loss_m": 40.0, "queue_packets": 500}
    assert far == [40.0, True, True]
    assert same
    assert wrong == "scenario: link.half_los_m = 4: unknown field; did you mean half_loss_m?"


def test_the_surrogate_learns_means_and_goes_through_its_files(folder: Path) -> None:
    code = """
import json
from pathlib import Path
import numpy as np
import means
from pyagent.reward import RewardContext
from pyagent.surrogate import ActionEncoder, Batch, ComponentScales, make_surrogate
from pyagent.surrogate.registry import load_surrogate

encoder = ActionEncoder((1, 32), 32)
reward = RewardContext(slo_s=2.0, delta_nll_clip=3.0, num_layers=32)
scales = ComponentScales.from_reward(reward, deadline_s=6.0, ue_energy_all_local_j=10.0)
surrogate = make_surrogate("means", 3, encoder, scales, seed=1)
rng = np.random.default_rng(0)
actions = np.tile([0, 1], 200)
latency_s = np.where(actions == 0, 1.0, 3.0)
outcomes = np.stack([latency_s, np.zeros(400), np.full(400, 5.0), np.zeros(400)], 1)
surrogate.update(Batch(rng.random((400, 3), dtype=np.float32), actions, outcomes), 1)
surrogate.save(Path("saved"))
context, both = np.full((2, 3), 0.5, np.float32), encoder.encode(np.array([0, 1]))
first, again = (s.predict(context, both).mean for s in (surrogate, load_surrogate(Path("saved"))))
print(json.dumps([first[:, 0].tolist(), bool(np.array_equal(first, again))]))
"""
    mean_latency_s, same = json.loads(python(folder, code))
    assert mean_latency_s == pytest.approx(
        [1.0, 3.0], rel=0.1
    )  # what was put in; the prior weighs one in 200
    assert same


def command_line(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return started(folder, "-m", "pyagent.cli", *arguments)


def test_a_scenario_with_the_codec_is_valid_with_the_plugin_alone(folder: Path) -> None:
    (shown,) = [step for step in STEPS if "scenario validate" in step.text]
    done = command_line(folder, *shown.words[1:])
    assert done.returncode == 0, done.stderr
    assert command_line(folder, "scenario", "validate", "sign.yaml").returncode == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--plugin = 'wrong.py': no such file"),
        (
            "x = 1\nnowhere\n",
            "plugin {path}: can't be run: NameError: name 'nowhere' is not defined (line 2)",
        ),
        (
            "from llm_split.codecs import get_codec, register_codec\nregister_codec(get_codec('int8'))\n",
            "plugin {path}: can't be run: ValueError: codec 'int8' is registered already (line 2)",
        ),
        (
            "from pyagent.scenario.schema import WifiLink, register_link\nregister_link(WifiLink)\n",
            "plugin {path}: can't be run: ValueError: link technology 'wifi' is registered already; taken: "
            "wifi, lte, replay (line 2)",
        ),
        (
            "from pyagent.surrogate import register_surrogate\nregister_surrogate(int)\n",
            "plugin {path}: can't be run: ValueError: int: is no surrogate; valid: a subclass of "
            "HeadsSurrogate (line 2)",
        ),
    ],
)
def test_what_is_wrong_with_a_plugin_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    from pyagent.plugins import VARIABLE, PluginError, add_plugins, load_plugins, loaded_plugins

    def load(files: list[str]) -> None:
        add_plugins(files)
        load_plugins()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, "")
    if text is not None:
        Path("wrong.py").write_text(text)
    with pytest.raises(PluginError) as caught:
        load(["wrong.py"])
    assert str(caught.value) == message.format(path=tmp_path / "wrong.py")
    assert loaded_plugins() == ()


def test_a_plugin_belongs_to_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyagent import plugins
    from pyagent.campaign.folder import describe
    from pyagent.sweep.identity import configuration
    from pyagent.sweep.spec import RunSpec
    from tests.conftest import small_scenario

    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setenv(plugins.VARIABLE, "")
    spec = RunSpec(scenario=small_scenario(), dataset=tmp_path / "d", policies=("random",), budget=1, seed=1)
    (tmp_path / "d").write_bytes(b"")
    before = configuration(spec)
    keys: list[Any] = []
    for text in ("A = 1\n", "A = 2\n"):
        (tmp_path / "mine.py").write_text(text)
        plugins._loaded.clear()
        plugins.add_plugins([str(tmp_path / "mine.py")])
        plugins.load_plugins()
        plugins.load_plugins()  # once is enough
        assert plugins.plugin_options() == ["--plugin", str(tmp_path / "mine.py")]
        (listed,) = describe(spec.scenario, "splitsim run", "running")["plugins"]
        assert listed["file"] == str(tmp_path / "mine.py")
        keys.append(configuration(spec)["plugins"])
        assert keys[-1] == [listed["sha256"]]
    assert "plugins" not in before
    assert keys[0] != keys[1]


@pytest.mark.ns3
def test_the_link_is_built_and_carries_packets_as_the_plugin_says(folder: Path) -> None:
    (text,) = ["\n".join(block.lines) + "\n" for block in BLOCKS if block.language == "cpp"]
    program = built_with_the_examples_link(text, folder)
    (folder / "near.yaml").write_text(NEAR.format(program=program))
    done = command_line(folder, "--plugin", "distance_link.py", "scenario", "validate", "near.yaml")
    assert done.returncode == 0, done.stderr
    assert "near.yaml: ok: distance, 1 UE" in done.stdout
    seen = python(folder, SEEN, SPLITSIM_PLUGINS=str(folder / "distance_link.py"))
    sites_m, rate_mbps, refused = json.loads(seen)
    assert sites_m == [[0, 0, 0]]
    # The rate of the scenario file, when a request was under way.
    assert max(rate_mbps) == pytest.approx(7, rel=0.01)
    assert "half_loss_m" in refused


NEAR = """\
name: near
program: {program}
mobility: {{model: constant, position_m: [1, 0, 1.5]}}
link: {{technology: distance, rate_mbps: 7}}
requests: {{count: 2}}
"""
SEEN = """
import json
import pyagent
from pyagent.errors import UserError
from pyagent.scenario.preview import check_in_ns3, preview
scenario = pyagent.load_scenario("near.yaml")
seen = preview(scenario, 1)
try:
    check_in_ns3(pyagent.load_scenario("near.yaml", link={"half_loss_m": -1}))
    refused = ""
except UserError as error:
    refused = str(error)
print(json.dumps([seen.sites_m.tolist(), seen.link.phy_rate_mbps.tolist(), refused]))
"""


def built_with_the_examples_link(text: str, folder: Path) -> Path:
    """A program, as `splitsim_program(distance distance.cc distance-link.cc)` makes it."""
    examples = REPOSITORY / "ns3_scenarios" / "examples"
    shutil.copy(examples / "distance-link.h", folder)
    shutil.copy(examples / "distance-link.cc", folder)
    (folder / "distance.cc").write_text(text)
    objects = []
    for name in ("distance", "distance-link"):
        objects.append(folder / f"{name}.o")
        succeed(compiler(folder / f"{name}.cc", "-o", str(objects[-1]), "-c"))
    program = folder / "distance"
    *_, link = succeed(["ninja", "-t", "commands", "split-corridor"]).splitlines()
    mine = " ".join(shlex.quote(str(path)) for path in objects)
    link, swapped = re.subn(r"\S*/split-corridor\.cc\.o", mine, link)
    link, renamed = re.subn(r"-o \S+", f"-o {shlex.quote(str(program))}", link)
    assert (swapped, renamed) == (1, 1)
    succeed(["sh", "-c", link])
    return program


def test_a_task_on_a_cluster_loads_the_plugins_that_came_with_it(folder: Path) -> None:
    code = """
import json
from pyagent.plugins import loaded_plugins
from pyagent.sweep.execute import from_frames
from pyagent.sweep.on_ray import _make

absent = from_frames(*_make("key", "{}", 1, "absent.py")).error
_make("key", "{}", 1, "means.py")
print(json.dumps([absent, [plugin.path.name for plugin in loaded_plugins()]]))
"""
    absent, loaded = json.loads(python(folder, code, SPLITSIM_PLUGINS=""))
    assert absent == "SPLITSIM_PLUGINS = 'absent.py': no such file"
    assert loaded == ["means.py"]
