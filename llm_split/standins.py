"""What stands in the place of a block while a forward pass is cut.

Symbols: B batch, T tokens, d hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn
from transformers import DynamicCache


class StopForwardError(Exception):
    """Carries the hidden states out of a forward pass that need not go further."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class StandIn(nn.Module):
    """In the place of a block, whose attributes it shows (some forwards read its attention type, say)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.__dict__["block"] = block  # not a submodule: its parameters aren't ours

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["block"], name)


class PassThrough(StandIn):
    """Stands for a skipped block: hands its input on (or `injected`) and keeps the cache's length right."""

    def __init__(self, block: nn.Module, index: int, tuple_size: int, injected: Tensor | None) -> None:
        super().__init__(block)
        self.index, self.tuple_size, self.injected = index, tuple_size, injected

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        hidden = _first_tensor(args, kwargs) if self.injected is None else self.injected
        cache = find_cache(args, kwargs)
        if cache is not None:
            append_placeholder(cache, hidden, self.index)
        return (hidden, *[None] * (self.tuple_size - 1)) if self.tuple_size else hidden


class Recorded(StandIn):
    """Calls its block and keeps what it returned; the last of `wanted` stops the forward pass."""

    def __init__(self, block: nn.Module, outputs: list[Any], wanted: int) -> None:
        super().__init__(block)
        self.outputs, self.wanted = outputs, wanted

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        output = self.block(*args, **kwargs)
        self.outputs.append(output)
        if len(self.outputs) == self.wanted:
            raise StopForwardError(hidden_of(output))
        return output


def hidden_of(output: Any) -> Tensor:
    """The hidden states in what a block returned."""
    return cast(Tensor, output[0] if isinstance(output, tuple) else output)


def stop_forward(_module: nn.Module, _args: Any, output: Any) -> None:
    raise StopForwardError(hidden_of(output))


def _first_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return cast(Tensor, args[0] if args else kwargs["hidden_states"])


def find_cache(args: tuple[Any, ...], kwargs: dict[str, Any]) -> DynamicCache | None:
    """The KV cache among the arguments of a forward, or None."""
    # Its name and place differ between families (past_key_values, layer_past, second argument): go by type.
    return next((x for x in (*args, *kwargs.values()) if isinstance(x, DynamicCache)), None)


def append_placeholder(cache: DynamicCache, hidden: Tensor, index: int) -> None:
    """One channel wide: a skipped block must report how many tokens went by, and nothing else."""
    B, T = hidden.shape[:2]
    empty = hidden.new_zeros(B, 1, T, 1)
    cache.update(empty, empty, index)


@contextmanager
def replaced(blocks: nn.ModuleList, others: Mapping[int, nn.Module]) -> Iterator[None]:
    """Some blocks replaced for a while."""
    originals = {i: blocks[i] for i in others}
    try:
        for i, other in others.items():
            blocks[i] = other
        yield
    finally:
        for i, original in originals.items():
            blocks[i] = original
