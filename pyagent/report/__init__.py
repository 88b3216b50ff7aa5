"""The report of a run: one HTML file with its table and pictures, readable offline."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from pyagent.report.table import COLUMNS, table_rows, target_rows

CAPTIONS = {
    "map": "Path of the UE, coloured by the split chosen, over the mean SNR",
    "timeline": "One test seed over time",
    "policies": "Reward of each policy and what it is lost on",
    "regret": "Regret to the oracle over real evaluations bought",
    "surrogate": "What the surrogate predicted before it saw the outcome",
    "reliability": "How many outcomes the surrogate's intervals cover, over how many they promise",
    "links": "What the network did, over distance or over the rate of a recorded link",
}


def write_report(run: Path) -> Path:
    """Write `report.html` from a run folder's files.

    Args:
        run: the folder; needs config.yaml, meta.json, summary.json; plots/*.png as far as they are there.

    Returns:
        The file.

    Raises:
        FileNotFoundError: one of the needed files is missing.
    """
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    environment = Environment(
        loader=PackageLoader("pyagent", "report"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("report.html").render(
        summary=summary,
        meta=json.loads((run / "meta.json").read_text(encoding="utf-8")),
        config=(run / "config.yaml").read_text(encoding="utf-8"),
        columns=[column.title for column in COLUMNS],
        rows=table_rows(summary),
        targets=target_rows(summary),
        pictures=_pictures(run),
    )
    target = run / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _pictures(run: Path) -> list[dict[str, Any]]:
    found = []
    for name, caption in CAPTIONS.items():
        path = run / "plots" / f"{name}.png"
        if path.is_file():
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            found.append({"name": name, "caption": caption, "data": data})
    return found
