"""Heat maps show the numbers of the table, each in its place."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from pyagent.plots.profile import profile_figure


def row(split: int, channel: str, loss: float, mean: float, **more: Any) -> dict[str, Any]:
    concealed = "running-mean" if channel in ("packet", "burst") else ""
    base = {
        "model": "toy",
        "num_layers": 8,
        "split": split,
        "codec": "fp16",
        "channel": channel,
        "loss": loss,
        "lost": loss,
    }
    base |= {"concealment": concealed, "windows": 4, "reference_ppl": 12.34, "delta_nll": mean}
    return base | {"delta_nll_low": mean - 0.1, "delta_nll_high": mean + 0.1} | more


def frame(
    channels: tuple[str, ...] = ("none", "packet", "burst", "elementwise", "first-token"),
) -> pd.DataFrame:
    losses = {"none": (0.0,), "first-token": (1.0,)}
    rows = [
        row(split, channel, loss, split / 10 + loss)
        for split in (1, 4, 7)
        for channel in channels
        for loss in losses.get(channel, (0.05, 0.2))
    ]
    rows += [row(split, "packet", 0.05, 11.0, concealment="zero") for split in (1, 4)]
    rows.append(row(7, "packet", 0.05, 0.0, concealment="zero", lost=0.0))  # there nothing was lost yet
    return pd.DataFrame(rows)


def test_quantised_weights_and_all_local_are_named() -> None:
    """Profiles from before there were widths have no such columns."""
    local = row(8, "none", 0.0, 0.4)
    coarse = pd.concat([frame(), pd.DataFrame([local])]).assign(ue_bits=4, edge_bits=16)
    figure = profile_figure([coarse])
    (axes,) = [ax for ax in figure.axes if ax.get_title() == "coding alone"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["local", "7", "4", "1"]
    assert texts(axes) == [".40", ".70", ".40", ".10"]
    shown = " ".join(text.get_text() for text in figure.texts)
    assert "weights of 4 bits (UE) and 16 bits (edge)" in shown
    for plain in (frame(), frame().assign(ue_bits=16, edge_bits=16)):
        assert "weights of" not in " ".join(text.get_text() for text in profile_figure([plain]).texts)


def texts(ax: Any) -> list[str]:
    return [t.get_text() for t in ax.texts]


def test_every_number_is_where_it_belongs() -> None:
    figure = profile_figure([frame()])
    panels = {ax.get_title().replace("\n", " "): ax for ax in figure.axes if ax.get_title()}
    assert list(panels) == [
        "coding alone",
        "packets lost, concealed",
        "packets lost, zeros",
        "bursts lost, concealed",
        "elements zeroed",
        "first token lost",
    ]
    # Deep cuts on top; 0.7 + 0.05, 0.7 + 0.2, and so on down.
    assert texts(panels["bursts lost, concealed"]) == [".75", ".90", ".45", ".60", ".15", ".30"]
    assert texts(panels["coding alone"]) == [".70", ".40", ".10"]
    assert texts(panels["packets lost, zeros"]) == ["11", "11"]  # split 7 has no number there
    assert [t.get_text() for t in panels["coding alone"].get_yticklabels()] == ["7", "4", "1"]
    assert [t.get_text() for t in panels["bursts lost, concealed"].get_xticklabels()] == ["5", "20"]
    faint = [t.get_alpha() < 1 for t in panels["coding alone"].texts]
    assert faint == [False, False, True]  # 0.1 with an interval from 0


def test_models_below_each_other_share_a_scale_and_say_who_they_are() -> None:
    other = frame(("none", "packet")).assign(model="other", reference_ppl=9.0)
    figure = profile_figure([frame(), other])
    labels = [ax.get_ylabel().split("\n")[0] for ax in figure.axes if ax.get_ylabel()]
    assert labels == ["toy", "other", "dNLL (nat/token)"]
    limits = {image.get_clim() for ax in figure.axes for image in ax.images}
    assert limits == {(0.0, 3.0)}
    note = " ".join(t.get_text() for t in figure.texts)
    assert "toy: 4 windows, unimpaired PPL 12.3" in note
    assert "other: 4 windows, unimpaired PPL 9.0" in note


def test_nothing_to_draw_is_told() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        profile_figure([frame().iloc[:0]])
