"""The report of one run: what is in it, what is left out and why, and that nothing breaks out of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pyagent.plots import FIGURES
from pyagent.report import ReportError, write_report
from pyagent.report import episodes as episodes_module
from pyagent.report.episodes import read_episodes
from pyagent.report.files import open_run
from pyagent.report.ground import read_ground
from pyagent.report.markup import rounded, script_json
from tests.pyagent.plots.synthetic_run import HELD, POLICIES, REPLICATES, SEEDS
from tests.pyagent.report.conftest import META, TIMED

SECTIONS = (
    "ranking",
    "reweighed",
    "choosing",
    "targets",
    "watch",
    "tokens",
    "latencies",
    "qualities",
    "learning",
    "resources",
    "scenario",
)


def embedded(page: str) -> dict[str, Any]:
    """The data that the page's script reads."""
    found = re.search(r'<script type="application/json" id="episodes">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


@pytest.fixture(scope="module")
def page(reported_run: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    target = tmp_path_factory.mktemp("page") / "own.html"
    written = write_report(reported_run, target)
    assert written.path == target
    assert not written.missing
    assert set(written.figures) == {*FIGURES, "track", "token-times"}
    assert not (reported_run / "report.html").exists()
    return target.read_text(encoding="utf-8")


def test_every_section_and_picture_is_there_and_described(page: str) -> None:
    assert set(re.findall(r'<section id="([a-z]+)">', page)) == set(SECTIONS)
    pictures = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)">', page)
    assert len(pictures) == len(FIGURES)
    assert all(len(alt) > 40 for alt in pictures)
    assert META["command"] in page


def test_the_page_asks_for_nothing_from_elsewhere(page: str) -> None:
    assert "http://" not in page
    assert "https://" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "default-src 'none'" in page


def test_tables_have_intervals_verdicts_and_costs(page: str) -> None:
    assert re.search(r"surrogate-argmax</th><td>-\d\.\d{3} \[-\d\.\d{3}, -\d\.\d{3}\]", page)
    assert re.search(r'<td class="(pass|fail)">(pass|FAIL)</td><td>[\d.]+ (&lt;=|&gt;) 0\.5</td>', page)
    assert "1,024 MiB" in page
    assert re.search(r'<th scope="row">train</th><td>66</td><td>40</td><td>12\.0</td>', page)


def test_rules_trees_and_the_rewards_terms_are_told(page: str) -> None:
    assert "<td>snr &lt; 17 dB -&gt; 32, else 1</td><td>own rule</td>" in page
    # Of the surrogate nobody told it, but it chooses alike: 17 dB within half a dB.
    tree = re.search(r"<td>snr &lt; (1[67]\.?\d?) dB -&gt; 32, else 1</td><td>tree</td>", page)
    assert tree
    assert float(tree[1]) == pytest.approx(17, abs=0.5)
    assert re.search(
        r'<th scope="row">threshold</th>(<td>[^<]*</td>){3}<td>\d+: \d+ %, \d+: \d+ %, \.\.\.</td>'
        r"<td>160</td><td>40</td><td>0</td>",
        page,
    )
    # The default weights, slo_s and the model of 32 blocks.
    assert '<th scope="row">latency</th><td>0.5</td><td>latency [s] / 1 s</td>' in page
    assert '<th scope="row">load</th><td>0.2</td><td>split / 32 blocks</td>' in page


def test_yardsticks_stand_in_the_table_and_the_first_sentence_says_what_they_keep(run: Path) -> None:
    page = write_report(run).path.read_text(encoding="utf-8")
    assert "A perfect choice between splits 1 and 32 keeps 97 % of it, the causal ceiling 80 %." in page
    for name, share in (("best-pair", "97 %"), ("causal-ceiling", "80 %")):
        assert re.search(rf'<th scope="row">{name}</th><td>[^<]*</td><td>{share}</td>', page)
    summary = json.loads((run / "summary.json").read_text())
    nothing = {"nothing_to_gain": True, "pair_share": None, "causal_ceiling_share": None}
    (run / "summary.json").write_text(json.dumps(summary | nothing))
    page = write_report(run).path.read_text(encoding="utf-8")
    assert "The interval reaches 0: nothing to gain, so no policy has a share." in page


def test_a_run_in_which_nobody_learns_says_so_and_warnings_stand_on_top(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    summary |= {"budget": 0, "warnings": ["mine lies below <it>"]}
    (run / "summary.json").write_text(json.dumps(summary))
    page = write_report(run).path.read_text(encoding="utf-8")
    assert re.search(r"Seed 1,\s+nobody learns,", page)
    assert "<strong>Warning</strong>: mine lies below &lt;it&gt;." in page
    assert "0 real decisions" not in page


def test_a_recorded_link_says_which_part_of_it_each_seed_played(run: Path) -> None:
    trace = run / "trace.csv"
    trace.write_text("t_s,rate_mbps\n0,5\n100,9\n200,5\n")
    link = f"link: {{technology: replay, uplink: {trace}, start_s: 40, end_s: 140, offset_s: [90, 90]}}"
    config = (
        (run / "config.yaml")
        .read_text()
        .replace(
            "random-waypoint, area_x_m: [2, 60], area_y_m: [-15, 15]", "constant, position_m: [0, 0, 1.5]"
        )
    )
    (run / "config.yaml").write_text(f"{config}\n{link}\n")
    page = write_report(run).path.read_text(encoding="utf-8")
    arrivals = pd.read_parquet(run / "decisions.parquet").groupby("seed")["arrival_s"].max()
    for seed in SEEDS:
        # From 90 s into 100 s that start at 40 s of the file; a last request has 4 s. After 10 s it loops.
        left_s = arrivals[seed] + 4 - 10
        assert left_s > 0
        whole = ", 40.0 to 140.0" if left_s > 100 else ""
        end_s = 40 + left_s % 100
        assert f"<td>130.0 to 140.0{whole}, 40.0 to {end_s:.1f}</td>" in page


def test_the_slider_knows_split_and_oracle_of_every_decision(page: str, reported_run: Path) -> None:
    data = embedded(page)
    oracle = pd.read_parquet(reported_run / "oracle.parquet").set_index(["seed", "decision"])["split"]
    decisions = pd.read_parquet(reported_run / "decisions.parquet")
    assert len(data["episodes"]) == (len(POLICIES) + len(HELD)) * len(SEEDS) * REPLICATES
    assert data["episodes"][0]["policy"] == "surrogate-argmax"
    for episode in data["episodes"]:
        keys = [(episode["seed"], decision) for decision in episode["decision"]]
        assert episode["oracle"] == oracle.loc[keys].tolist()
        assert episode["t"] == sorted(episode["t"])
        if episode["policy"] in HELD:
            assert set(episode["split"]) == {HELD[episode["policy"]]}
    first = data["episodes"][0]
    rows = decisions[(decisions["phase"] == "test") & (decisions["policy"] == first["policy"])]
    rows = rows[(rows["seed"] == first["seed"]) & (rows["replicate"] == first["replicate"])]
    assert first["loss"] == rounded(rows["loss"])
    assert first["failed"] == rows["failed"].tolist()


def test_tokens_add_up_to_the_latency(page: str) -> None:
    data = embedded(page)
    assert list(data["tokens"]) == ["/".join(map(str, TIMED))]
    episode = next(e for e in data["episodes"] if (e["policy"], e["seed"], e["replicate"]) == TIMED)
    for decision, latency_s in zip(episode["decision"], episode["latency"], strict=True):
        tokens = data["tokens"]["/".join(map(str, TIMED))][str(decision)]
        assert sum(sum(token[1:6]) for token in tokens) == pytest.approx(1e3 * latency_s, rel=1e-2)


def test_the_map_has_sites_coverage_and_the_way_of_the_previewed_seed(page: str) -> None:
    ground = embedded(page)["ground"]
    assert [site["name"] for site in ground["sites"]] == ["ap-0"]
    assert ground["heat"]["uri"].startswith("data:image/png;base64,")
    assert ground["heat"]["low_db"] < ground["heat"]["high_db"]
    assert ground["paths"]["seed"] == SEEDS[0]
    assert len(ground["paths"]["others"]) == 1
    west, east, south, north = ground["frame"]
    assert all(west <= x <= east for x in ground["paths"]["agent"]["x"])
    assert all(south <= y <= north for y in ground["paths"]["agent"]["y"])


@pytest.mark.parametrize(
    ("lost", "missing"),
    [
        ("tokens.parquet", set()),
        ("preview.json", set()),
        ("oracle.parquet", set()),
        ("learning.parquet", {"regret"}),
        ("predictions.parquet", {"surrogate"}),
        (
            "decisions.parquet",
            {"map", "track", "token-times", "timeline", "latency", "quality", "links", "choices"}
            | {"weights", "failures"},
        ),
    ],
)
def test_what_a_run_lacks_is_said_in_one_line(run: Path, lost: str, missing: set[str]) -> None:
    (run / lost).unlink()
    for name in missing & set(FIGURES):
        (run / "plots" / f"{name}.png").unlink()
    written = write_report(run)
    assert set(written.missing) == missing
    assert all(lost in reason for reason in written.missing.values())
    page = written.path.read_text(encoding="utf-8")
    for name in missing - {"track", "token-times"}:
        assert re.search(rf'<p class="missing" id="{name}">[^<]*{lost}', page), name
    if lost == "tokens.parquet":
        assert embedded(page)["no_tokens"] == "there is no tokens.parquet"
    if lost == "oracle.parquet":
        assert {split for e in embedded(page)["episodes"] for split in e["oracle"]} == {None}


def test_a_link_without_sites_where_nobody_moves_has_no_map(run: Path) -> None:
    (run / "preview.json").unlink()
    table = pd.read_parquet(run / "decisions.parquet")
    table.assign(x_m=0.0, y_m=0.0).to_parquet(run / "decisions.parquet")
    written = write_report(run)
    assert written.missing == {"map": "the UE stands still and the link has no sites"}
    assert embedded(written.path.read_text())["ground"] is None


def test_no_text_of_a_scenario_or_policy_breaks_out(run: Path) -> None:
    evil = "</script><script>alert(1)</script><!--"
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"description: '{evil}'\n{config}")
    for name in ("decisions", "tokens"):
        table = pd.read_parquet(run / f"{name}.parquet")
        table["policy"] = table["policy"].replace("threshold", evil)
        table.to_parquet(run / f"{name}.parquet")
    summary = json.loads((run / "summary.json").read_text())
    summary["policies"][evil] = summary["policies"].pop("threshold")
    (run / "summary.json").write_text(json.dumps(summary))
    page = write_report(run).path.read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<!--" not in page
    assert evil in {episode["policy"] for episode in embedded(page)["episodes"]}


def test_json_of_a_script_can_be_read_back_and_holds_no_tag() -> None:
    data = {"</script>": ["<!--", "a & b", None, 1.5]}
    text = script_json(data)
    assert not set("<>&") & set(text)
    assert json.loads(text) == data
    with pytest.raises(ValueError):
        script_json([float("nan")])


def test_numbers_are_short_and_never_nan() -> None:
    assert rounded([1.23456, float("nan"), 20001.0, -0.0, 3.0]) == [1.235, None, 20000, 0, 3]


def test_a_page_holds_whole_seeds_and_says_what_it_leaves_out(
    reported_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes_module, "DECISIONS_SHOWN", 400)
    found = read_episodes(open_run(reported_run))
    policies = len(POLICIES) + len(HELD)
    assert set(zip(found.rows["seed"], found.rows["replicate"], strict=True)) == {(s, 0) for s in SEEDS[:2]}
    missing = policies * (len(SEEDS) * REPLICATES - 2)
    assert found.left_out == f"{missing} more episodes are in decisions.parquet."


def test_episodes_and_tokens_that_are_too_long_are_cut(
    reported_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(episodes_module, "DECISIONS_SHOWN", 5 * (len(POLICIES) + len(HELD)))
    monkeypatch.setattr(episodes_module, "TOKENS_SHOWN", 60)
    found = read_episodes(open_run(reported_run))
    assert set(found.rows["decision"]) == set(range(5))
    assert found.left_out.endswith("Only the first 5 decisions of an episode are here.")
    assert 0 < len(found.tokens) <= 60
    whole = pd.read_parquet(reported_run / "tokens.parquet")
    counts = found.tokens["decision"].value_counts()
    assert counts.to_dict() == whole["decision"].value_counts()[counts.index].to_dict()
    assert f"the first {len(counts)} requests" in found.no_tokens


def test_ground_shows_all_that_is_walked(reported_run: Path) -> None:
    run = open_run(reported_run)
    places_m = read_episodes(run).places_m
    ground = read_ground(run, places_m)
    assert ground is not None
    west, east, south, north = ground.frame
    assert west < places_m[:, 0].min()
    assert places_m[:, 0].max() < east
    assert south < places_m[:, 1].min()
    assert places_m[:, 1].max() < north


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("summary.json", None, "has no summary.json"),
        ("config.yaml", None, "has no config.yaml"),
        ("meta.json", None, "has no meta.json"),
        ("summary.json", "{", "summary.json can't be read as JSON"),
        ("summary.json", "{}", "summary.json has no policies"),
        ("config.yaml", "a: [", "config.yaml can't be read as YAML"),
        ("meta.json", '{"status": "failed"}', "meta.json says status 'failed'; valid: a finished run"),
    ],
)
def test_a_folder_of_no_finished_run_is_refused(
    run: Path, name: str, text: str | None, expected: str
) -> None:
    (run / name).unlink()
    if text is not None:
        (run / name).write_text(text)
    with pytest.raises(ReportError, match=re.escape(expected)) as caught:
        write_report(run)
    assert str(run) in str(caught.value)
    assert "\n" not in str(caught.value)
