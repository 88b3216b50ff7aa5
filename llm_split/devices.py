"""Device cards and model shapes: the figures behind compute times, each with its source.

The packaged ones lie in `llm_split/cards/`; a path to a YAML file of the same form works where a name does,
and for a shape also a `config.json` or a folder with one (see `llm_split.config_shapes`).
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llm_split.config_shapes import UnsupportedConfigError, read_config, shape_fields
from llm_split.plain import load_plain, one_line
from llm_split.problems import LONGEST_MESSAGE, describe_problems

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Efficiency = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
MeasuredPhase = Literal["prefill", "decode", "energy"]

MEASURED_UNITS: dict[str, str] = {"prefill": "tokens/s", "decode": "ms/token", "energy": "J/token"}
"""Unit of a published measurement by its phase."""


class CardError(ValueError):
    """A card is unknown or not valid; the message says which ones or what would be."""


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class Measurement(BaseModel):
    """A published end-to-end measurement of a whole model on a device, one request at a time.

    Attributes:
        phase: prefill and decode are speeds; energy is that of one decoded token, above idle.
        model: the shape that was measured: a name that ships, or a path as `load_shape` takes it.
        weight_bits: nominal bits of a weight.
        tokens: of prefill the prompt's; of decode and energy the context, the new token included.
        value: in `unit`, which follows from the phase (`MEASURED_UNITS`).
        source: where it was published, and how sure that is.
        fitted: figures of the card are derived from this measurement, so that it can't test them.
        why: reason for an error of the card beyond 25 %.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phase: MeasuredPhase
    model: str = Field(min_length=1)
    weight_bits: Count
    tokens: Count
    value: Positive
    unit: str
    source: str = Field(min_length=1)
    fitted: bool = False
    why: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _unit_fits_phase(self) -> Measurement:
        if self.unit != MEASURED_UNITS[self.phase]:
            raise ValueError(f"unit is {self.unit!r}, valid for {self.phase}: {MEASURED_UNITS[self.phase]!r}")
        return self


class DeviceCard(_Card):
    """One device. Efficiencies are the share of a peak that is reached, 0..1.

    Attributes:
        peak_ops_per_s: dense operations per second (a multiply-add counts two), by precision.
        precision_by_weight_bits: which of those precisions serves weights of that many bits.
        bandwidth_bytes_per_s: memory bandwidth.
        memory_bytes: physical memory; on phones and Jetsons shared with everything else.
        compute_power_w: power while it computes, above idle.
        block_launch_s: fixed seconds that each block adds to a pass, whatever its size (starting its kernels,
            waiting between them); norm and head together count as one block more.
        sources: where each of the figures is from; one that is not measured says so. `block_launch_s` needs
            one where it is given.
        measurements: published end-to-end speeds that the card is checked against (`llm_split.card_check`).
    """

    title: str
    peak_ops_per_s: dict[str, Positive] = Field(min_length=1)
    precision_by_weight_bits: dict[int, str] = Field(min_length=1)
    bandwidth_bytes_per_s: Positive
    prefill_compute_efficiency: Efficiency
    prefill_bandwidth_efficiency: Efficiency
    decode_compute_efficiency: Efficiency
    decode_bandwidth_efficiency: Efficiency
    memory_bytes: Positive
    compute_power_w: Positive
    block_launch_s: NotNegative = 0.0
    sources: dict[str, str]
    measurements: list[Measurement] = []

    @model_validator(mode="after")
    def _complete(self) -> DeviceCard:
        figures = set(type(self).model_fields) - {"name", "title", "sources", "measurements"}
        if not self.block_launch_s:
            figures.discard("block_launch_s")
        missing = sorted(name for name in figures if not self.sources.get(name, "").strip())
        if missing:
            raise ValueError(f"sources lacks: {', '.join(missing)}")
        unknown = sorted(set(self.precision_by_weight_bits.values()) - set(self.peak_ops_per_s))
        if unknown:
            raise ValueError(f"precision_by_weight_bits names {', '.join(unknown)}, not in peak_ops_per_s")
        return self

    @model_validator(mode="after")
    def _measured_bits_exist(self) -> DeviceCard:
        for measurement in self.measurements:
            if measurement.weight_bits not in self.precision_by_weight_bits:
                raise ValueError(
                    f"measurements has weight_bits {measurement.weight_bits}, valid: "
                    f"{', '.join(map(str, sorted(self.precision_by_weight_bits)))}"
                )
        return self

    def peak_for(self, weight_bits: int) -> float:
        """Peak operations per second with weights of `weight_bits` bits."""
        if weight_bits not in self.precision_by_weight_bits:
            valid = ", ".join(str(bits) for bits in sorted(self.precision_by_weight_bits))
            raise CardError(f"weight_bits is {weight_bits}, valid on {self.name}: {valid}")
        return self.peak_ops_per_s[self.precision_by_weight_bits[weight_bits]]


class ModelShape(_Card):
    """Sizes of a decoder with one kind of block: (grouped-query) attention and an MLP.

    The defaults are the Llama kind: RMS norms, a gated MLP, no biases, every block attends to all tokens.

    Attributes:
        head_dim: width of one head; left out, hidden_size / num_heads.
        gated_mlp: three MLP matrices (gate, up, down) instead of two.
        norms_per_block: norms of width hidden_size in a block.
        norm_biases: every norm has a bias (LayerNorm) beside its weight.
        qk_norm: norms of queries and keys: `head` has one width of a head each (shared by the heads),
            `full` the width of all heads.
        qkv_biases, output_biases, mlp_biases, head_bias: which matrices have a bias: q, k and v; the
            attention's output; the MLP's; the language-model head.
        position_embeddings: rows of a learned position table; 0 where positions are rotary.
        sliding_window: tokens that a block attends to at most, itself included; None is no limit.
        full_attention_blocks: blocks (counted from 0) that the window does not bind.
    """

    num_layers: Count
    hidden_size: Count
    intermediate_size: Count
    num_heads: Count
    num_kv_heads: Count
    head_dim: Count | None = None
    vocab_size: Count
    tied_embeddings: bool
    gated_mlp: bool = True
    norms_per_block: Count = 2
    norm_biases: bool = False
    qk_norm: Literal["none", "head", "full"] = "none"
    qkv_biases: bool = False
    output_biases: bool = False
    mlp_biases: bool = False
    head_bias: bool = False
    position_embeddings: Annotated[int, Field(ge=0)] = 0
    sliding_window: Count | None = None
    full_attention_blocks: list[int] = []
    weight_bits_choices: list[Count] = Field(min_length=1)
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> ModelShape:
        if (
            self.head_dim is None and self.hidden_size % self.num_heads
        ) or self.num_heads % self.num_kv_heads:
            raise ValueError("num_heads must divide hidden_size, and num_kv_heads num_heads")
        return self

    @model_validator(mode="after")
    def _full_blocks_exist(self) -> ModelShape:
        blocks = self.full_attention_blocks
        if blocks and self.sliding_window is None:
            raise ValueError("full_attention_blocks needs a sliding_window")
        if sorted(set(blocks)) != blocks or any(not 0 <= b < self.num_layers for b in blocks):
            raise ValueError(
                f"full_attention_blocks is {blocks}, valid: increasing, 0..{self.num_layers - 1}"
            )
        return self

    @property
    def head_size(self) -> int:
        """Width of one head."""
        return self.head_dim or self.hidden_size // self.num_heads

    @property
    def attention_size(self) -> int:
        """Width of the queries of one token, all heads together."""
        return self.head_size * self.num_heads

    @property
    def kv_size(self) -> int:
        """Width of the keys of one token, and of its values."""
        return self.head_size * self.num_kv_heads

    @property
    def norm_parameters(self) -> int:
        """Weights of one norm of width hidden_size; the final norm's too."""
        return self.hidden_size * (1 + self.norm_biases)

    @property
    def block_parameters(self) -> int:
        """Weights of one block: q and o, k and v, the MLP, the norms and the biases."""
        d, a, kv, ffn = self.hidden_size, self.attention_size, self.kv_size, self.intermediate_size
        up = 2 if self.gated_mlp else 1
        matrices = 2 * d * a + 2 * d * kv + (up + 1) * d * ffn
        norms = self.norms_per_block * self.norm_parameters + self._qk_norm_parameters
        biases = self.qkv_biases * (a + 2 * kv) + self.output_biases * d + self.mlp_biases * (up * ffn + d)
        return matrices + norms + biases

    @property
    def _qk_norm_parameters(self) -> int:
        widths = {"none": 0, "head": 2 * self.head_size, "full": self.attention_size + self.kv_size}
        return widths[self.qk_norm] * (1 + self.norm_biases)

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token table and, where positions are learned, the position table."""
        return (self.vocab_size + self.position_embeddings) * self.hidden_size

    @property
    def head_parameters(self) -> int:
        """Weights that the final norm and the language-model head use, its table included if it is tied."""
        return self.norm_parameters + self.vocab_size * (self.hidden_size + self.head_bias)

    @property
    def own_head_parameters(self) -> int:
        """Of `head_parameters` those that the embeddings don't hold already."""
        table = self.vocab_size * self.hidden_size
        return self.head_parameters - (table if self.tied_embeddings else 0)

    @property
    def parameters(self) -> int:
        """All weights, a tied table counted once."""
        blocks = self.num_layers * self.block_parameters
        return self.embedding_parameters + blocks + self.own_head_parameters

    def window_of(self, block: int) -> int | None:
        """Tokens that block `block` (counted from 0) attends to at most; None is no limit."""
        return None if block in self.full_attention_blocks else self.sliding_window


CardT = TypeVar("CardT", bound=_Card)


def load_device(name_or_path: str | Path) -> DeviceCard:
    """A packaged device card by name, or one from a YAML file. Raises CardError."""
    return _load(name_or_path, "device", DeviceCard)


def load_shape(name_or_path: str | Path) -> ModelShape:
    """A packaged model shape by name, or one from a YAML or GGUF file, a `config.json` or a model folder.

    Raises CardError.
    """
    named = str(name_or_path) in shape_names()
    path = os.path.expanduser(name_or_path)
    # os.path: a name that is too long for a file is none, and no error of another kind.
    if str(path).endswith((".json", ".gguf")) or (not named and os.path.isdir(path)):
        return shape_from_config(path)
    return _load(name_or_path, "model", ModelShape)


def shape_from_config(config: Any) -> ModelShape:
    """The shape that a model's configuration describes; nothing is fetched and no weights are read.

    Args:
        config: a `config.json`, a folder with one, a GGUF file, or a configuration object of the
            transformers library. Of a multimodal model the language part counts.

    Raises:
        CardError: the file can't be read, its family is not supported, or a field of it isn't; the message
            names which.
    """
    try:
        data = shape_fields(*read_config(config))
    except UnsupportedConfigError as error:
        raise CardError(str(error)) from error
    try:
        return ModelShape.model_validate(data)
    except ValidationError as error:
        problems = describe_problems(error, data, ModelShape)
        raise CardError(f"the configuration gives no valid shape: {problems}") from error


def device_names() -> list[str]:
    return _names("device")


def shape_names() -> list[str]:
    return _names("model")


def _names(kind: str) -> list[str]:
    files = (entry.name for entry in (resources.files("llm_split") / "cards").iterdir())
    prefix, suffix = f"{kind}-", ".yaml"
    return sorted(f[len(prefix) : -len(suffix)] for f in files if f.startswith(prefix) and f.endswith(suffix))


def _load(name_or_path: str | Path, kind: str, card: type[CardT]) -> CardT:
    text, what = _read(name_or_path, kind), f"{kind} card {_shown(name_or_path)} is not valid"
    try:
        data = load_plain(text)
    except ValueError as error:
        raise CardError(f"{what}: {one_line(str(error), LONGEST_MESSAGE)}") from error
    try:
        return card.model_validate(data)
    except ValidationError as error:
        raise CardError(f"{what}: {describe_problems(error, data, card)}") from error


def _shown(name_or_path: str | Path) -> str:
    return one_line(repr(str(name_or_path)))


def _read(name_or_path: str | Path, kind: str) -> str:
    if str(name_or_path).endswith((".yaml", ".yml")):
        try:
            return Path(name_or_path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CardError(f"{kind} card {_shown(name_or_path)} can't be read: {error}") from error
    if name_or_path not in _names(kind):
        valid = ", ".join(_names(kind))
        more = ", a config.json, a model folder or a .gguf file" if kind == "model" else ""
        paths = f"a .yaml file{more}"
        raise CardError(f"unknown {kind} {_shown(name_or_path)}, valid: {valid}, or a path to {paths}")
    return (resources.files("llm_split") / "cards" / f"{kind}-{name_or_path}.yaml").read_text(
        encoding="utf-8"
    )
