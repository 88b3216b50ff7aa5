"""The report in headless Chromium: no complaint, the slider moves, every figure and all its text is seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyagent.report import compare_runs, write_comparison, write_report
from tests.pyagent.plots.synthetic_run import DECISIONS
from tests.pyagent.report.conftest import TIMED

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra 'dev')")
CHROMIUM = os.environ.get("SPLITSIM_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install chromium, or set SPLITSIM_CHROMIUM"),
]

PHONE, DESKTOP = 390, 1200
SEEN = """name => {
  const node = document.getElementById(name), box = node.getBoundingClientRect();
  const image = node.querySelector("img"), svg = node.querySelector("svg");
  return box.width > 100 && box.height > 50 && (image ? image.naturalWidth > 500 : svg.children.length > 3);
}"""
CUT_OFF = """() => [...document.querySelectorAll("svg[role=img] text")].filter(text => {
  const box = text.getBoundingClientRect(), frame = text.closest("svg").getBoundingClientRect();
  const beyond = box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
  return box.width && beyond;
}).map(text => text.textContent)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # Everything that it opens is our own; as root, which containers often are, it has no sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(reported_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = shutil.copytree(reported_run, tmp_path_factory.mktemp("browser") / "run")
    shutil.rmtree(run / "plots")  # so that each picture is drawn
    return write_report(run)


class Tab:
    """A page, and what it complained of."""

    def __init__(
        self, browser: Any, path: Path, width: int, scheme: str = "light", script: bool = True
    ) -> None:
        size = {"width": width, "height": 900}
        self.context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=script)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri())

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.complaints.append(request.url)

    def readout(self) -> dict[str, str]:
        terms, values = (self.page.locator(f"#readout {tag}").all_inner_texts() for tag in ("dt", "dd"))
        return dict(zip(terms, values, strict=True))

    def place(self) -> str:
        return str(self.page.locator("#ue").get_attribute("transform"))


@pytest.fixture(
    params=[(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")], ids=lambda p: f"{p[0]}-{p[1]}"
)
def tab(browser: Any, report: Any, request: pytest.FixtureRequest) -> Iterator[Tab]:
    tab = Tab(browser, report.path, *request.param)
    yield tab
    tab.context.close()


def test_every_figure_is_seen_and_nothing_is_complained_of(tab: Tab, report: Any) -> None:
    tab.page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    for name in report.figures:
        assert tab.page.evaluate(SEEN, name), name
    assert tab.complaints == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.page.evaluate(CUT_OFF) == []


def test_the_slider_moves_the_ue_and_what_is_said_of_the_moment(tab: Tab) -> None:
    before, place = tab.readout(), tab.place()
    assert set(before) == {
        *("Time", "SNR", "Packets lost", "Split", "Oracle's split", "Latency", "Quality lost", "Reward")
    }
    tab.page.locator("#time").press("End")
    after = tab.readout()
    assert tab.place() != place
    assert f"decision 1 of {DECISIONS}" in before["Time"]
    assert f"decision {DECISIONS} of {DECISIONS}" in after["Time"]
    assert after["SNR"] != before["SNR"]
    spoken = tab.page.locator("#time").get_attribute("aria-valuetext")
    assert after["Split"].split()[0] in spoken.split("Split ")[1]
    tab.page.locator("#before").click()
    assert f"decision {DECISIONS} of" in tab.readout()["Time"]  # to its begin first
    tab.page.locator("#before").click()
    assert f"decision {DECISIONS - 1} of" in tab.readout()["Time"]
    tab.page.locator("#time").press("ArrowRight")
    assert tab.readout()["Time"] != after["Time"]
    assert tab.complaints == []


def test_a_request_can_be_chosen_and_its_tokens_are_drawn(tab: Tab) -> None:
    tab.page.locator("#pick-request").select_option("3")
    assert "decision 4 of" in tab.readout()["Time"]
    summary = tab.page.locator("#token-summary").inner_text()
    assert summary.startswith(f"Request 4 of {TIMED[0]}, seed {TIMED[1]}, split ")
    assert "computing on the UE" in summary
    tab.page.locator("#token-details summary").click()
    rows = tab.page.locator("#token-table tbody tr").count()
    assert rows >= 3
    assert tab.page.locator("#token-picture rect").count() >= rows


def test_another_policy_has_other_splits_and_says_why_it_has_no_tokens(tab: Tab) -> None:
    tab.page.locator("#pick-policy").select_option("all-local")
    assert tab.readout()["Split"].startswith("32 (all local)")
    assert tab.readout()["Packets lost"].startswith("none sent")
    assert "kept of policies that play live only" in tab.page.locator("#token-summary").inner_text()
    assert tab.complaints == []


def test_playing_goes_on_by_itself_until_it_is_stopped(browser: Any, report: Any) -> None:
    tab = Tab(browser, report.path, DESKTOP)
    place = tab.place()
    tab.page.locator("#play").click()
    tab.page.wait_for_function(
        "old => document.getElementById('ue').getAttribute('transform') !== old", arg=place
    )
    tab.page.locator("#play").click()
    assert tab.page.locator("#play").get_attribute("aria-pressed") == "false"
    tab.context.close()


def test_turning_the_phone_draws_anew(browser: Any, report: Any) -> None:
    tab = Tab(browser, report.path, PHONE)
    tab.page.set_viewport_size({"width": 844, "height": 390})
    tab.page.wait_for_function("document.getElementById('map-picture').viewBox.baseVal.width > 700")
    assert tab.complaints == []
    tab.context.close()


def test_colours_follow_the_readers_scheme(browser: Any, report: Any) -> None:
    paint = {}
    for scheme in ("light", "dark"):
        tab = Tab(browser, report.path, DESKTOP, scheme)
        paint[scheme] = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        tab.context.close()
    assert paint == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 26)"}


def test_without_javascript_the_map_is_a_picture(browser: Any, report: Any) -> None:
    tab = Tab(browser, report.path, DESKTOP, script=False)
    assert tab.page.locator("#map-still img").is_visible()
    assert not tab.page.locator("#player").is_visible()
    tab.context.close()


@pytest.fixture(scope="module")
def comparison(reported_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    target = tmp_path_factory.mktemp("browser") / "both.html"
    return write_comparison(compare_runs([reported_run, reported_run]), target)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_comparison_opens_without_a_complaint(browser: Any, comparison: Any, width: int) -> None:
    tab = Tab(browser, comparison.path, width)
    for name in comparison.figures:
        assert tab.page.evaluate(SEEN, name), name
    assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.complaints == []
    tab.context.close()


def test_a_script_that_got_into_the_page_is_not_run(browser: Any, report: Any, tmp_path: Path) -> None:
    """Text is escaped; were it not, the page's policy lets no script run but its own."""
    evil = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    damaged = tmp_path / "report.html"
    page = report.path.read_text(encoding="utf-8")
    damaged.write_text(page.replace("<h1>", f"{evil}<h1>", 1), encoding="utf-8")
    tab = Tab(browser, damaged, DESKTOP)
    assert tab.page.title() != "owned"
    assert any("Content Security Policy" in told for told in tab.complaints)
    assert tab.readout()["Time"]  # our own script runs all the same
    tab.context.close()
