"""Device cards and model shapes: the figures behind compute times, each with its source.

The packaged ones lie in `llm_split/cards/`; a path to a YAML file of the same form works where a name does.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Efficiency = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class CardError(ValueError):
    """A card is unknown or not valid; the message says which ones or what would be."""


class _Card(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class DeviceCard(_Card):
    """One device. Efficiencies are the share of a peak that is reached, 0..1.

    Attributes:
        peak_ops_per_s: dense operations per second (a multiply-add counts two), by precision.
        precision_by_weight_bits: which of those precisions serves weights of that many bits.
        bandwidth_bytes_per_s: memory bandwidth.
        memory_bytes: physical memory; on phones and Jetsons shared with everything else.
        compute_power_w: power while it computes, above idle.
        sources: where each of the figures is from; one that is not measured says so.
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
    sources: dict[str, str]

    @model_validator(mode="after")
    def _complete(self) -> DeviceCard:
        figures = set(type(self).model_fields) - {"name", "title", "sources"}
        missing = sorted(name for name in figures if not self.sources.get(name, "").strip())
        if missing:
            raise ValueError(f"sources lacks: {', '.join(missing)}")
        unknown = sorted(set(self.precision_by_weight_bits.values()) - set(self.peak_ops_per_s))
        if unknown:
            raise ValueError(f"precision_by_weight_bits names {', '.join(unknown)}, not in peak_ops_per_s")
        return self

    def peak_for(self, weight_bits: int) -> float:
        """Peak operations per second with weights of `weight_bits` bits."""
        if weight_bits not in self.precision_by_weight_bits:
            valid = ", ".join(str(bits) for bits in sorted(self.precision_by_weight_bits))
            raise CardError(f"weight_bits is {weight_bits}, valid on {self.name}: {valid}")
        return self.peak_ops_per_s[self.precision_by_weight_bits[weight_bits]]


class ModelShape(_Card):
    """Sizes of a decoder of the Llama kind: grouped-query attention, gated MLP, no biases."""

    num_layers: Count
    hidden_size: Count
    intermediate_size: Count
    num_heads: Count
    num_kv_heads: Count
    vocab_size: Count
    tied_embeddings: bool
    weight_bits_choices: list[Count] = Field(min_length=1)
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> ModelShape:
        if self.hidden_size % self.num_heads or self.num_heads % self.num_kv_heads:
            raise ValueError("num_heads must divide hidden_size, and num_kv_heads num_heads")
        return self

    @property
    def kv_size(self) -> int:
        """Width of the keys of one token, and of its values."""
        return self.hidden_size // self.num_heads * self.num_kv_heads

    @property
    def block_parameters(self) -> int:
        """Weights of one block: q and o, k and v, the three MLP matrices, two norms."""
        d = self.hidden_size
        return 2 * d * d + 2 * d * self.kv_size + 3 * d * self.intermediate_size + 2 * d

    @property
    def head_parameters(self) -> int:
        """Weights of the final norm and the language-model head."""
        return self.hidden_size * (self.vocab_size + 1)


CardT = TypeVar("CardT", bound=_Card)


def load_device(name_or_path: str | Path) -> DeviceCard:
    """A packaged device card by name, or one from a YAML file. Raises CardError."""
    return _load(name_or_path, "device", DeviceCard)


def load_shape(name_or_path: str | Path) -> ModelShape:
    """A packaged model shape by name, or one from a YAML file. Raises CardError."""
    return _load(name_or_path, "model", ModelShape)


def device_names() -> list[str]:
    return _names("device")


def shape_names() -> list[str]:
    return _names("model")


def _names(kind: str) -> list[str]:
    files = (entry.name for entry in (resources.files("llm_split") / "cards").iterdir())
    prefix, suffix = f"{kind}-", ".yaml"
    return sorted(f[len(prefix) : -len(suffix)] for f in files if f.startswith(prefix) and f.endswith(suffix))


def _load(name_or_path: str | Path, kind: str, card: type[CardT]) -> CardT:
    try:
        return card.model_validate(yaml.safe_load(_read(name_or_path, kind)))
    except (ValidationError, yaml.YAMLError) as error:
        raise CardError(f"{kind} card {str(name_or_path)!r} is not valid: {error}") from error


def _read(name_or_path: str | Path, kind: str) -> str:
    if str(name_or_path).endswith((".yaml", ".yml")):
        try:
            return Path(name_or_path).read_text(encoding="utf-8")
        except OSError as error:
            raise CardError(f"{kind} card {str(name_or_path)!r} can't be read: {error}") from error
    if name_or_path not in _names(kind):
        valid = ", ".join(_names(kind))
        raise CardError(f"unknown {kind} {str(name_or_path)!r}, valid: {valid}, or a path to a .yaml file")
    return (resources.files("llm_split") / "cards" / f"{kind}-{name_or_path}.yaml").read_text(
        encoding="utf-8"
    )
