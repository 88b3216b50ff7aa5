"""`splitsim profile`: which cuts of a model bear loss and coding, and which do not."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pyagent.errors import UserError, usage_errors

if TYPE_CHECKING:
    from llm_split.models import QualityModel
    from llm_split.profile import Plan, Profile

WIDTH = 160
DEFAULT_SPLITS = 8
_DTYPES = ("float32", "bfloat16", "float16")


def profile(
    out: Annotated[Path, typer.Option(help="Folder of the profile; one that was stopped goes on.")],
    model: Annotated[str, typer.Option(help="Name, folder, GGUF file or hub id.")] = "smollm2-135m",
    text: Annotated[
        str, typer.Option(help="Name from `splitsim texts list`, or a text file.")
    ] = "wikitext-2",
    splits: Annotated[
        str,
        typer.Option(help="How many cuts, spread by depth, or a list such as 1,5,9 (default: 8)."),
    ] = "",
    losses: Annotated[
        str, typer.Option(help="Shares of packets or values lost, or none for coding and weights alone.")
    ] = "0.01,0.05,0.1,0.2",
    codecs: Annotated[str, typer.Option(help="Codecs to try without loss.")] = "fp16,int8,int4,int4-token",
    codec: Annotated[str, typer.Option(help="Codec under which loss is tried.")] = "fp16",
    windows: Annotated[int, typer.Option(help="Windows of text at most.")] = 16,
    window_tokens: Annotated[int, typer.Option(help="Tokens of each; the second half is scored.")] = 128,
    stderr: Annotated[
        float, typer.Option(help="Standard error (nat/token) that is good enough; 0: use all windows.")
    ] = 0.03,
    burst: Annotated[float, typer.Option(help="Mean length of a burst in packets.")] = 8.0,
    concealment: Annotated[str, typer.Option(help="zero, previous-token or running-mean.")] = "running-mean",
    interleaving: Annotated[str, typer.Option(help="none, block or random.")] = "none",
    payload_bytes: Annotated[int, typer.Option(min=64, help="Payload of a packet.")] = 1400,
    deployed: Annotated[
        str, typer.Option(help="Shape whose fragments are lost, by share of channels (default: the model).")
    ] = "",
    expose_first_token: Annotated[
        bool, typer.Option("--expose-first-token", help="Let the first token be lost like any other.")
    ] = False,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    seed: Annotated[int, typer.Option(min=0, help="Of the losses.")] = 0,
    ue_bits: Annotated[
        int, typer.Option(help="Bits of a weight in blocks on the UE: 4, 8, or 16 for the weights as loaded.")
    ] = 16,
    edge_bits: Annotated[
        int,
        typer.Option(help="Bits of a weight in blocks on the edge: 4, 8, or 16 for the weights as loaded."),
    ] = 16,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the table.")
    ] = False,
) -> None:
    """Measure dNLL and perplexity over split x loss (packets, bursts, elements) x codec; write CSV and PNG.

    Example: splitsim profile --model smollm2-135m --out profiles/smollm2
    """
    import torch

    from llm_split.devices import load_shape
    from llm_split.models import load_quality_model
    from llm_split.profile import Plan
    from llm_split.quality import chance_note

    if dtype not in _DTYPES:
        raise UserError(f"--dtype is {dtype!r}, valid: {', '.join(_DTYPES)}")
    _check_folder(out)
    with usage_errors():
        width = load_shape(deployed).hidden_size if deployed else 0
    parts = [] if losses == "none" else losses.split(",")
    loss_shares = tuple(_number(part, "--losses") for part in parts)
    settings: dict[str, Any] = {
        "losses": loss_shares,
        "codecs": tuple(part.strip() for part in codecs.split(",")),
        "codec": codec,
        "windows": windows,
        "window_tokens": window_tokens,
        "stderr": stderr,
        "burst": burst,
        "concealment": concealment,
        "interleaving": interleaving,
        "payload_bytes": payload_bytes,
        "deployed_hidden_size": width,
        "spare_first_token": not expose_first_token,
        "dtype": dtype,
        "seed": seed,
        "ue_bits": ue_bits,
        "edge_bits": edge_bits,
    }
    with usage_errors():
        Plan(model, text, (1,), **settings)  # what is wrong with these is told before a model is loaded
    loaded = load_quality_model(model, dtype=getattr(torch, dtype))
    with usage_errors():
        plan = Plan(model, text, _splits(splits, loaded.num_layers), **settings)
        work = _profile(plan, out, loaded)
    with usage_errors():
        result = _run(work, loaded)
    reference_ppl = float(read_profile(out)["reference_ppl"].iloc[0])
    if note := chance_note(loaded.name, math.log(reference_ppl), int(loaded.model.config.vocab_size)):
        print(f"splitsim: warning: {note}", file=sys.stderr)
    files = _draw([out], out / "profile")
    if as_json:
        print(
            json.dumps(
                {
                    **result,
                    "ue_bits": ue_bits,
                    "edge_bits": edge_bits,
                    "loss_free": _loss_free(out),
                    "out": str(out),
                    "files": [str(f) for f in (out / "profile.csv", *files)],
                }
            )
        )
        return
    _print_table(out)
    print(out / "profile.csv")
    print(files[0])


def compare_profiles(
    folders: Annotated[list[Path], typer.Argument(help="Folders that `splitsim profile` wrote.")],
    out: Annotated[Path, typer.Option(help="Picture to write, without suffix.")] = Path("profiles"),
) -> None:
    """Draw several profiles below each other, for the same losses.

    Example: splitsim profiles profiles/smollm2 profiles/gemma3 --out profiles/compared
    """
    for file in _draw(folders, out):
        print(file)


def _check_folder(out: Path) -> None:
    """Tells what can't be written to before the work begins, and makes nothing."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not there.is_dir():
        raise UserError(f"--out is {str(out)!r}, and {there} is a file; a folder is needed")
    if not os.access(there, os.W_OK):
        raise UserError(f"--out is {str(out)!r}, and {there} can't be written to")


def _number(text: str, option: str) -> float:
    try:
        number = float(text)
        if math.isfinite(number):
            return number
        raise ValueError
    except ValueError:
        raise UserError(f"{option} has {text.strip()!r}, valid: numbers with commas between them") from None


def _splits(text: str, num_layers: int) -> tuple[int, ...]:
    from llm_split.profile import spread_splits

    if not text:
        return spread_splits(num_layers, min(DEFAULT_SPLITS, num_layers - 1))
    numbers = [_number(part, "--splits") for part in text.split(",")]
    if any(n != int(n) for n in numbers):
        raise UserError(f"--splits is {text!r}, valid: whole numbers")
    if "," in text:
        return tuple(sorted({int(n) for n in numbers}))
    return spread_splits(num_layers, int(numbers[0]))


def _profile(plan: Plan, out: Path, loaded: QualityModel) -> Profile:
    from llm_split.partition import SplitModel
    from llm_split.profile import Profile
    from llm_split.texts import text_windows
    from llm_split.weights import weights_fingerprint

    tokens = text_windows(loaded.tokenizer, plan.text, plan.windows, plan.window_tokens, seed=plan.seed)
    return Profile(plan, out, SplitModel(loaded.model), tokens, weights_fingerprint(loaded.model))


def _run(work: Profile, loaded: QualityModel) -> dict[str, Any]:
    from llm_split.profile import Progress
    from pyagent.campaign.progress import PhaseProgress

    already = work.done
    with PhaseProgress() as bar, bar.phase("profile", _doing(work, loaded), work.plan.windows):
        if already:
            bar.advance(already)
        state = {"done": already}

        def report(at: Progress) -> None:
            bar.advance(at.window - state["done"], f"{at.cells_left} cells of {len(work.study.cells)} left")
            state["done"] = at.window

        table = work.run(report)
    windows = [len(rows) for rows in table.rows.values()]
    return {
        "model": loaded.name,
        "cells": len(windows),
        "windows": work.done,
        "evaluations": sum(windows),
        "wall_s": bar.seconds["profile"],
    }


def _doing(work: Profile, loaded: QualityModel) -> str:
    where = f", going on after {work.done} windows" if work.done else ""
    return f"Profiling {loaded.name}: {len(work.plan.splits)} splits, {len(work.study.cells)} cells{where}"


def read_profile(folder: Path) -> Any:
    import pandas as pd

    try:
        return pd.read_csv(folder / "profile.csv", keep_default_na=False, na_values=["nan"])
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no profile: {error}") from error


def _draw(folders: list[Path], out: Path) -> list[Path]:
    from pyagent.plots.profile import profile_figure
    from pyagent.plots.style import save

    figure = profile_figure([read_profile(folder) for folder in folders])
    out.parent.mkdir(parents=True, exist_ok=True)
    return save(figure, out)


def _loss_free(out: Path) -> list[dict[str, Any]]:
    """dNLL and its standard error of every cut and codec without loss."""
    frame = read_profile(out)
    columns = ["split", "codec", "delta_nll", "delta_nll_stderr", "windows"]
    found: list[dict[str, Any]] = frame[frame.channel == "none"][columns].to_dict("records")
    return found


def _print_table(out: Path) -> None:
    """dNLL by split and condition, at the profile's middle loss."""
    frame = read_profile(out)
    losses = sorted(set(frame[frame.channel == "packet"].loss))
    middle = losses[len(losses) // 2] if losses else 0.0
    shown = frame[(frame.loss == middle) | frame.channel.isin(["none", "first-token"])]
    shown = shown.assign(name=[_column(*row) for row in shown[["codec", "channel", "concealment"]].values])
    lost = f"losses of {100 * middle:g} %" if losses else "nothing lost"
    title = f"dNLL in nat/token, ± standard error; {lost}{_weights(frame)}"
    table = Table(title=title, title_justify="left")
    table.add_column("split", justify="right")
    names = list(dict.fromkeys(shown.name))
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for split, rows in shown.groupby("split"):
        row = rows.set_index("name")
        cells = [
            f"{row.delta_nll[n]:.3f} ± {row.delta_nll_stderr[n]:.3f}" if n in row.index else "" for n in names
        ]
        table.add_row("all local" if split == frame.num_layers[0] else str(split), *cells)
    # As wide as its columns also where the terminal isn't or there is none.
    Console(width=max(Console().width, WIDTH), markup=False).print(table)


def _weights(frame: Any) -> str:
    """The widths of the weights, for titles; empty where they are as loaded."""
    ue, edge = int(frame.ue_bits[0]), int(frame.edge_bits[0])
    return "" if (ue, edge) == (16, 16) else f"; weights of {ue} bits on the UE, {edge} on the edge"


def _column(codec: str, channel: str, concealment: str) -> str:
    return codec if channel == "none" else f"{channel}\n{concealment}".strip()
