"""`splitsim cards`: what the cards say, and what a split of a model costs by them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pyagent.errors import UserError, usage_errors

if TYPE_CHECKING:
    from llm_split.card_check import CheckedMeasurement
    from llm_split.devices import DeviceCard, ModelShape
    from llm_split.roofline import HalfCost, PhaseCost, SplitCost

cards_app = typer.Typer(
    no_args_is_help=True, help="Device cards, model shapes, and what a split costs by them."
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
WIDTH = 110
CHECK_WIDTH = 120
# One evaluation per kind of block, token and split: some 20 s for the largest shape at the limit.
MAX_TOKENS = 16_384


@cards_app.command("list")
def list_cards(as_json: AsJson = False) -> None:
    """List the devices and the model shapes that ship.

    Example: splitsim cards list
    """
    from llm_split.devices import device_names, load_device, load_shape, shape_names

    devices = [load_device(name) for name in device_names()]
    shapes = [load_shape(name) for name in shape_names()]
    if as_json:
        print(
            json.dumps(
                {"devices": list(map(_device_json, devices)), "shapes": list(map(_shape_json, shapes))}
            )
        )
        return
    _print(_devices_table(devices), _shapes_table(shapes))


@cards_app.command("show")
def show_card(
    name: Annotated[
        str, typer.Argument(help="A device or a shape that ships, a .yaml card, a config.json or its folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show all figures of a card, each with its source.

    Example: splitsim cards show snapdragon-8-gen-3
    """
    from llm_split.devices import DeviceCard

    card = _load(name)
    if isinstance(card, DeviceCard):
        content, table = _device_json(card), _figures_table(card)
    else:
        content, table = _shape_json(card), _sizes_table(card)
    if as_json:
        print(json.dumps(content))
    else:
        _print(table)


@cards_app.command("check")
def check(
    card: Annotated[
        str | None,
        typer.Argument(help="A device that ships or a .yaml card; every device that ships if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare device cards with published end-to-end measurements.

    The error is (predicted - measured) / measured. Ends with status 1 if an error is beyond 25 % and the card
    gives no reason.

    Example: splitsim cards check snapdragon-8-gen-3
    """
    from llm_split.card_check import check_card
    from llm_split.devices import device_names, load_device

    with usage_errors():
        cards = [load_device(name) for name in ([card] if card else device_names())]
        rows = [row for each in cards for row in check_card(each)]
    if card and not rows:
        raise UserError(f"device card {card!r} has no measurements, so there is nothing to check")
    if as_json:
        print(json.dumps({"rows": list(map(_check_json, rows))}))
    else:
        _print(_check_table(rows), _check_sources(rows), width=CHECK_WIDTH)
    unexplained = [row for row in rows if row.unexplained]
    if unexplained:
        listed = ", ".join(f"{row.card} {row.measurement.phase} {row.error:+.0%}" for row in unexplained)
        typer.echo(f"error beyond 25 % without a reason: {listed}", err=True)
        raise typer.Exit(1)


def _check_json(row: CheckedMeasurement) -> dict[str, Any]:
    measurement = row.measurement.model_dump(exclude={"value", "why"})
    why = {"why": row.measurement.why} if row.measurement.why else {}
    figures = {"predicted": row.predicted, "measured": row.measurement.value, "error": row.error}
    return {"card": row.card} | measurement | figures | why


def _check_table(rows: list[CheckedMeasurement]) -> Table:
    table = Table(title="device cards against published measurements", title_justify="left")
    table.caption = (
        "error: (predicted - measured) / measured; *: the card's own figures are derived from this"
    )
    for column in ("", "card", "phase", "model", "bits", "tokens", "measured", "predicted", "unit", "error"):
        text = column in ("card", "phase", "model", "unit")
        table.add_column(column, justify="left" if text else "right")
    for number, row in enumerate(rows, 1):
        m = row.measurement
        sizes = (str(number), row.card, m.phase, m.model, str(m.weight_bits), str(m.tokens))
        error = f"{100 * row.error:+.0f} %{'*' if m.fitted else ' '}"
        table.add_row(*sizes, _four_digits(m.value), _four_digits(row.predicted), m.unit, error)
    return table


def _four_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _check_sources(rows: list[CheckedMeasurement]) -> Table:
    table = Table("", "source, and reason for an error beyond 25 %", box=None, header_style="")
    for number, row in enumerate(rows, 1):
        why = f"\nWHY: {row.measurement.why}" if row.measurement.why else ""
        table.add_row(str(number), row.measurement.source + why)
    return table


@cards_app.command("half")
def half(
    shape: Annotated[
        str, typer.Argument(help="A model shape that ships, a .yaml card, a config.json or its folder.")
    ],
    ue: Annotated[str, typer.Option(help="Device card of the UE.")] = "snapdragon-8-gen-3",
    edge: Annotated[str, typer.Option(help="Device card of the edge.")] = "a100-80g",
    ue_bits: Annotated[int, typer.Option(help="Bits of a weight on the UE.")] = 4,
    edge_bits: Annotated[int, typer.Option(help="Bits of a weight on the edge.")] = 16,
    prompt_tokens: Annotated[int, typer.Option(min=1, max=MAX_TOKENS, help="Tokens of the prompt.")] = 128,
    output_tokens: Annotated[int, typer.Option(min=1, max=MAX_TOKENS, help="Tokens of the answer.")] = 64,
    as_json: AsJson = False,
) -> None:
    """Memory, time and energy of both halves, split by split; the network is not in it.

    Example: splitsim cards half llama-2-7b --ue jetson-orin-nx --edge h100-sxm --prompt-tokens 256
    """
    from llm_split.devices import load_device, load_shape

    with usage_errors():
        model, ue_device, edge_device = load_shape(shape), load_device(ue), load_device(edge)
        bits, tokens = (ue_bits, edge_bits), (prompt_tokens, output_tokens)
        costs = _costs(model, (ue_device, edge_device), bits, tokens)
    if as_json:
        request = {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
        sides = {
            "ue": {"device": ue_device.name, "weight_bits": ue_bits},
            "edge": {"device": edge_device.name, "weight_bits": edge_bits},
        }
        splits = [dataclasses.asdict(cost) for cost in costs]
        print(json.dumps({"shape": model.name, **sides, **request, "splits": splits}))
        return
    title = (
        f"{model.name}: {ue_bits} bits on {ue_device.name}, {edge_bits} bits on {edge_device.name}, "
        f"{prompt_tokens} + {output_tokens} tokens"
    )
    _print(_costs_table(title, costs, ue_device, edge_device, output_tokens))


def _costs(
    shape: ModelShape, devices: tuple[DeviceCard, DeviceCard], bits: tuple[int, int], tokens: tuple[int, int]
) -> list[SplitCost]:
    """Of every split; `devices` and `bits` are (UE, edge), `tokens` (prompt, output)."""
    from llm_split.roofline import split_cost

    return [
        split_cost(
            shape,
            *devices,
            ue_weight_bits=bits[0],
            edge_weight_bits=bits[1],
            split=split,
            prompt_tokens=tokens[0],
            output_tokens=tokens[1],
        )
        for split in range(1, shape.num_layers + 1)
    ]


def _load(name: str) -> DeviceCard | ModelShape:
    from llm_split.devices import device_names, load_device, load_shape, shape_names

    with usage_errors():
        if name in device_names():
            return load_device(name)
        if name in shape_names() or Path(name).is_dir() or name.endswith((".json", ".gguf")):
            return load_shape(name)
        if name.endswith((".yaml", ".yml")):
            return load_shape(name) if "num_layers" in _keys(name) else load_device(name)
    valid = ", ".join(device_names() + shape_names())
    raise UserError(
        f"unknown card {name!r}, valid: {valid}, or a path to a .yaml file, a config.json, a model folder or "
        "a .gguf file"
    )


def _keys(path: str) -> set[str]:
    """Keys of a YAML mapping; none where it can't be read, which loading it as a card then explains."""
    from llm_split.plain import load_plain

    try:
        content = load_plain(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    return set(content) if isinstance(content, dict) else set()


def _device_json(card: DeviceCard) -> dict[str, Any]:
    return card.model_dump()


def _shape_json(shape: ModelShape) -> dict[str, Any]:
    return shape.model_dump() | _derived(shape)


def _derived(shape: ModelShape) -> dict[str, int]:
    return {
        "head_size": shape.head_size,
        "block_parameters": shape.block_parameters,
        "embedding_parameters": shape.embedding_parameters,
        "own_head_parameters": shape.own_head_parameters,
        "parameters": shape.parameters,
    }


def _print(*tables: Table, width: int = WIDTH) -> None:
    console = Console(width=max(Console().width, width), markup=False)
    for table in tables:
        console.print(table, highlight=False)


def _devices_table(devices: list[DeviceCard]) -> Table:
    table = Table(title="devices", title_justify="left")
    for column in ("name", "what", "Tops/s", "GB/s", "GB", "W", "weight bits"):
        table.add_column(column, justify="left" if column in ("name", "what") else "right")
    for card in devices:
        peaks = ", ".join(f"{ops / 1e12:.4g} {precision}" for precision, ops in card.peak_ops_per_s.items())
        table.add_row(
            card.name,
            card.title,
            peaks,
            f"{card.bandwidth_bytes_per_s / 1e9:.4g}",
            f"{card.memory_bytes / 1e9:.4g}",
            f"{card.compute_power_w:.4g}",
            ", ".join(map(str, sorted(card.precision_by_weight_bits))),
        )
    return table


def _shapes_table(shapes: list[ModelShape]) -> Table:
    table = Table(title="shapes", title_justify="left")
    for column in (
        "name",
        "blocks",
        "width",
        "heads / KV",
        "MLP",
        "vocabulary",
        "tied",
        "window",
        "parameters",
    ):
        table.add_column(column, justify="left" if column == "name" else "right")
    for shape in shapes:
        table.add_row(
            shape.name,
            str(shape.num_layers),
            str(shape.hidden_size),
            f"{shape.num_heads} / {shape.num_kv_heads} x {shape.head_size}",
            str(shape.intermediate_size),
            str(shape.vocab_size),
            "yes" if shape.tied_embeddings else "no",
            _window(shape),
            f"{shape.parameters:,}",
        )
    return table


def _window(shape: ModelShape) -> str:
    if shape.sliding_window is None:
        return "-"
    windowed = shape.num_layers - len(shape.full_attention_blocks)
    return f"{shape.sliding_window} in {windowed}"


def _figures_table(card: DeviceCard) -> Table:
    table = Table("figure", "value", "source", title=f"{card.name}: {card.title}", title_justify="left")
    for name in card.sources:
        if name in type(card).model_fields:
            table.add_row(name, _figure(getattr(card, name)), card.sources[name])
    return table


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_figure(each)}" for key, each in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _sizes_table(shape: ModelShape) -> Table:
    table = Table("size", "value", title=shape.name, title_justify="left")
    for name, value in shape.model_dump(exclude={"name", "source"}).items():
        table.add_row(name, str(value))
    table.add_row("source", shape.source, end_section=True)
    for name, value in _derived(shape).items():
        table.add_row(name, f"{value:,}")
    return table


def _costs_table(
    title: str, costs: list[SplitCost], ue: DeviceCard, edge: DeviceCard, output_tokens: int
) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = (
        "prefill and ms/token are computing only; c: bound by compute, b: by bandwidth, l: by launches; J "
        "above idle per request; * more than the device's memory"
    )
    table.add_column("split", justify="right")
    for side in ("UE", "edge"):
        for column in ("GB", "prefill ms", "ms/token", "J"):
            table.add_column(f"{side} {column}", justify="right")
    for cost in costs:
        halves = (*_half_cells(cost.ue, ue, output_tokens), *_half_cells(cost.edge, edge, output_tokens))
        table.add_row(str(cost.split), *halves)
    return table


def _half_cells(half: HalfCost, device: DeviceCard, output_tokens: int) -> tuple[str, ...]:
    too_much = "*" if half.memory_bytes > device.memory_bytes else ""
    return (
        f"{half.memory_bytes / 1e9:.2f}{too_much}",
        _milliseconds(half.prefill, 1),
        _milliseconds(half.decode, output_tokens - 1),
        f"{half.prefill.energy_j + half.decode.energy_j:.2f}",
    )


def _milliseconds(phase: PhaseCost, times: int) -> str:
    """Milliseconds of one of `times` passes, and what bounds them; a dash where nothing is computed."""
    return "-" if phase.bound == "idle" else f"{1e3 * phase.time_s / times:.2f} {phase.bound[0]}"
