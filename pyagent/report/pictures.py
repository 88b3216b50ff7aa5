"""The static pictures of a report, and why one that is not there is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType

from matplotlib.figure import Figure

from pyagent.plots import FIGURES, MissingDataError
from pyagent.plots.style import save_png
from pyagent.report.files import Run
from pyagent.report.markup import png_uri


@dataclass(frozen=True)
class Words:
    """What stands below a picture, and what it shows for whoever can't see it."""

    caption: str
    alt: str


WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "policies": Words(
            "Mean reward of each policy with its 95 % interval, and what it is lost on",
            "Dots with interval bars, one row per policy, best on top; beside them stacked bars of the mean "
            "penalties. The table above has the numbers.",
        ),
        "weights": Words(
            "Rank of each policy at half and twice each weight, and with failures charged once",
            "A grid of ranks, one row per policy and one column per reading; shaded and marked with a "
            "triangle where the rank is another one than as run. The table above has the rewards.",
        ),
        "failures": Words(
            "What a failed request costs by term, and what failed requests add to each policy's mean penalty",
            "Two panels of stacked bars, one row per policy: the mean penalty of a failed request by term; "
            "the mean penalty of all requests, divided into failed and served ones. The table above has the "
            "numbers.",
        ),
        "choices": Words(
            "The split of every test decision over the two features that matter most to each policy",
            "A row of two panels for each policy that plays several splits: dots for its decisions, split "
            "over feature; a line for its own rule, dashed lines for the cuts of the fitted tree. The table "
            "above has both in words.",
        ),
        "map": Words(
            "The path of the first test seed, coloured by the split chosen, over the mean SNR",
            "Map in metres: the path of the UE with a dot at each decision, coloured by split; crosses where "
            "a request failed; triangles for sites; grey shades for the mean SNR.",
        ),
        "timeline": Words(
            "The same episode over time: link, loss, delay, split and reward, beside the oracle's",
            "Five panels over one time axis: SNR or rate, fragments lost by cause, delays, chosen and "
            "oracle's split, reward and the oracle's.",
        ),
        "latency": Words(
            "Share of the requests that took no longer than so long",
            "Three panels of cumulative curves, one line per policy: seconds to the first token, seconds per "
            "token, seconds to the last token; dashed lines mark the scenario's targets, a dotted one the "
            "deadline.",
        ),
        "quality": Words(
            "Loss of quality of every split, and how it grows with the fragments lost",
            "Left: quality loss of each request by split, with means. Right: the same over the percentage of "
            "fragments lost, with means in bins.",
        ),
        "links": Words(
            "What the network did to the requests that used it",
            "Four panels over distance or rate: fragments lost, one-way delay, requests failed, loss of "
            "quality; dots coloured by split and means with intervals.",
        ),
        "regret": Words(
            "Regret to the oracle over real evaluations bought",
            "Falling curve with a band for each policy that learns, and a dashed line with an interval bar "
            "for each that does not.",
        ),
        "surrogate": Words(
            "What the surrogate predicted before it saw the outcome",
            "Four scatter plots of predicted over observed values: latency, quality loss, energy, failure; "
            "the diagonal is a perfect prediction.",
        ),
        "reliability": Words(
            "How many outcomes the surrogate's intervals cover, over how many they promise",
            "Four panels with a curve each; on the diagonal an interval covers what it promises, below it is "
            "too narrow.",
        ),
    }
)


@dataclass(frozen=True)
class Picture:
    """A picture, or why there is none.

    Attributes:
        name: of the figure.
        words: caption and description.
        uri: the PNG as data; empty where there is none.
        missing: why; empty where there is one.
    """

    name: str
    words: Words
    uri: str = ""
    missing: str = ""


def picture(run: Run, name: str) -> Picture:
    """One of `WORDS`: as the run's plots folder has it, else drawn now."""
    drawn = run.path / "plots" / f"{name}.png"
    try:
        png = drawn.read_bytes() if drawn.is_file() else png_of(FIGURES[name](run.path))
    except MissingDataError as error:
        return Picture(name, WORDS[name], missing=str(error))
    return Picture(name, WORDS[name], png_uri(png))


def png_of(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    stream = BytesIO()
    save_png(figure, stream)
    return stream.getvalue()
