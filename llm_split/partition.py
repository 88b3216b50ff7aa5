"""Cut any decoder of the transformers library between two blocks, without rewriting its forward pass.

The library's own forward runs in every case, so masks, rotary tables and soft caps stay its business. A *UE
half* runs it until block `split` and stops there; an *edge half* runs it with the blocks below `split`
replaced by pass-throughs, the last of which hands over the received hidden states.

Symbols: B batch, T tokens, d hidden size, V vocabulary, L blocks.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache


class CannotSplitError(ValueError):
    """The model has no single list of blocks that can be cut."""


class _StopForwardError(Exception):
    """Carries the hidden states out of a forward pass that need not go further."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class _PassThrough(nn.Module):
    """Stands for a skipped block: hands its input on (or `injected`) and keeps the cache's length right."""

    def __init__(self, block: nn.Module, index: int, tuple_size: int, injected: Tensor | None) -> None:
        super().__init__()
        self.__dict__["block"] = block  # not a submodule: its parameters aren't ours
        self.index, self.tuple_size, self.injected = index, tuple_size, injected

    def __getattr__(self, name: str) -> Any:
        # Some forwards read attributes of a block (its attention type, say) before calling it.
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["block"], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        hidden = _first_tensor(args, kwargs) if self.injected is None else self.injected
        cache = _find_cache(args, kwargs)
        if cache is not None:
            _append_placeholder(cache, hidden, self.index)
        return (hidden, *[None] * (self.tuple_size - 1)) if self.tuple_size else hidden


class SplitModel:
    """A decoder that can be cut before any block, `1 <= split <= num_layers`.

    `split` is the number of blocks on the UE; at `num_layers` only the final norm and the head are left to
    the edge. The wrapped model is unchanged between calls, but not safe to use from two threads at once.

    Raises:
        CannotSplitError: no list of `num_hidden_layers` blocks, or more than one, or blocks that don't
            return the hidden states [B, T, d].
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval()
        self.config = model.config.get_text_config()
        self.blocks = _find_blocks(model, int(self.config.num_hidden_layers))
        self.num_layers = len(self.blocks)
        self.hidden_size = int(self.config.hidden_size)
        self._accepts = set(inspect.signature(model.forward).parameters)
        self._tuple_sizes = self._probe()

    @property
    def device(self) -> torch.device:
        return cast(torch.device, next(self.model.parameters()).device)

    @property
    def dtype(self) -> torch.dtype:
        return cast(torch.dtype, next(self.model.parameters()).dtype)

    @torch.inference_mode()
    def hidden_states(self, input_ids: Tensor, splits: Iterable[int]) -> dict[int, Tensor]:
        """The residual stream at several cuts, from one stock forward pass.

        Args:
            input_ids: int64 [B, T], no padding.
            splits: cuts wanted, each in 1..num_layers.

        Returns:
            split -> [B, T, d] in the model's dtype: the input of block `split`; for `num_layers` the output
            of the last block, before the final norm.
        """
        wanted = sorted({self._checked(split) for split in splits})
        found: dict[int, Tensor] = {}

        def capture(split: int) -> Any:
            def hook(_module: nn.Module, _args: Any, output: Any) -> None:
                found[split] = output[0] if isinstance(output, tuple) else output
                if split == wanted[-1]:
                    raise _StopForwardError(found[split])

            return hook

        handles = [self.blocks[s - 1].register_forward_hook(capture(s)) for s in wanted]
        try:
            self._call(input_ids=input_ids.to(self.device), use_cache=False)
        except _StopForwardError:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return {split: found[split] for split in wanted}

    @torch.inference_mode()
    def continue_to_last(self, hidden: Tensor, split: int) -> Tensor:
        """Run blocks `split`.. on `hidden` [B, T, d]; the output of the last block, before the final norm."""
        hidden = hidden.to(self.device, self.dtype)
        if self._checked(split) == self.num_layers:
            return hidden
        mask = torch.ones(hidden.shape[:2], dtype=torch.long, device=self.device)
        handle = self.blocks[-1].register_forward_hook(_stop)
        try:
            with self._skipping(split, hidden):
                self._call(**self._placeholders(hidden, mask), use_cache=False)
        except _StopForwardError as stop:
            return stop.hidden
        finally:
            handle.remove()
        raise AssertionError("the last block did not run")  # _probe saw that it does

    @torch.inference_mode()
    def edge_logits(self, hidden: Tensor, split: int, positions: Tensor | None = None) -> Tensor:
        """One teacher-forced pass of the edge half, with the head only where it is wanted.

        Args:
            hidden: [B, T, d], what enters block `split`.
            split: 1..num_layers.
            positions: int64 [K], token positions to score; None means all T.

        Returns:
            Logits [B, K, V] (K = T without `positions`), in the model's dtype.
        """
        hidden = hidden.to(self.device, self.dtype)
        mask = torch.ones(hidden.shape[:2], dtype=torch.long, device=self.device)
        with self._skipping(self._checked(split), hidden):
            return self._head_at(positions, **self._placeholders(hidden, mask), use_cache=False)

    def ue_half(self, split: int) -> UeHalf:
        """The first `split` blocks with a KV cache of their own."""
        return UeHalf(self, self._checked(split))

    def edge_half(self, split: int) -> EdgeHalf:
        """Blocks `split`.. , norm and head, with a KV cache of their own."""
        return EdgeHalf(self, self._checked(split))

    def new_cache(self) -> DynamicCache:
        return DynamicCache(config=self.config)

    def _checked(self, split: int) -> int:
        if not 1 <= split <= self.num_layers:
            raise ValueError(f"split is {split}, valid: 1..{self.num_layers}")
        return split

    def _call(self, **kwargs: Any) -> Any:
        return self.model(**{k: v for k, v in kwargs.items() if k in self._accepts})

    def _head_at(self, positions: Tensor | None, **kwargs: Any) -> Tensor:
        if positions is None:
            return cast(Tensor, self._call(**kwargs).logits)
        positions = positions.to(self.device)
        if "logits_to_keep" in self._accepts:
            return cast(Tensor, self._call(**kwargs, logits_to_keep=positions).logits)
        return cast(Tensor, self._call(**kwargs).logits[:, positions])

    def _placeholders(self, hidden: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """What the edge feeds the stock forward: zeros for embeddings (never prompt ids), mask, positions."""
        B, T = hidden.shape[:2]
        width = self.model.get_input_embeddings().weight.shape[1]
        zeros = torch.zeros(B, T, width, dtype=self.dtype, device=self.device)
        return {
            "inputs_embeds": zeros,
            "attention_mask": attention_mask,
            "position_ids": position_ids(attention_mask, T),
        }

    @contextmanager
    def _skipping(self, split: int, hidden: Tensor) -> Iterator[None]:
        originals = list(self.blocks[:split])
        try:
            for i, block in enumerate(originals):
                injected = hidden if i == split - 1 else None
                self.blocks[i] = _PassThrough(block, i, self._tuple_sizes[i], injected)
            yield
        finally:
            for i, block in enumerate(originals):
                self.blocks[i] = block

    @torch.inference_mode()
    def _probe(self) -> list[int]:
        """Length of the tuple that each block returns, 0 for a plain tensor; one forward of one token."""
        outputs: list[Any] = []
        handles = [b.register_forward_hook(lambda _m, _a, out: outputs.append(out)) for b in self.blocks]
        try:
            self._call(input_ids=torch.zeros(1, 1, dtype=torch.long, device=self.device), use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        firsts = [out[0] if isinstance(out, tuple) else out for out in outputs]
        expected = (1, 1, self.hidden_size)
        if len(outputs) != self.num_layers or any(tuple(first.shape) != expected for first in firsts):
            raise CannotSplitError(f"blocks of {type(self.model).__name__} don't return [B, T, d] once each")
        return [len(out) if isinstance(out, tuple) else 0 for out in outputs]


class UeHalf:
    """The device's part of one request: token ids in, hidden states out, token by token or many at once."""

    def __init__(self, split_model: SplitModel, split: int) -> None:
        self.owner, self.split = split_model, split
        self.reset()

    def reset(self) -> None:
        """Forget the request: start over with an empty cache."""
        self.cache = self.owner.new_cache()
        self.mask: Tensor | None = None

    @torch.inference_mode()
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Append tokens.

        Args:
            input_ids: int64 [B, T], the new tokens.
            attention_mask: int64 [B, T] for the new tokens, 0 at left padding; default ones.

        Returns:
            Hidden states [B, T, d] that enter block `split`.
        """
        owner = self.owner
        input_ids = input_ids.to(owner.device)
        self.mask = _extended(self.mask, attention_mask, input_ids)
        last = self.split - 1
        handle = owner.blocks[last].register_forward_hook(_stop)
        try:
            owner._call(
                input_ids=input_ids,
                attention_mask=self.mask,
                position_ids=position_ids(self.mask, input_ids.shape[1]),
                past_key_values=self.cache,
                use_cache=True,
            )
        except _StopForwardError as stop:
            hidden = stop.hidden
        finally:
            handle.remove()
        for index in range(self.split, owner.num_layers):
            _append_placeholder(self.cache, hidden, index)
        return hidden


class EdgeHalf:
    """The server's part of one request: hidden states in, logits out."""

    def __init__(self, split_model: SplitModel, split: int) -> None:
        self.owner, self.split = split_model, split
        self.reset()

    def reset(self) -> None:
        """Forget the request: start over with an empty cache."""
        self.cache = self.owner.new_cache()
        self.mask: Tensor | None = None

    @torch.inference_mode()
    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Append tokens.

        Args:
            hidden: [B, T, d], what enters block `split` for the new tokens.
            attention_mask: int64 [B, T] for the new tokens, 0 at left padding; default ones.

        Returns:
            Logits [B, T, V] of the new tokens.
        """
        owner = self.owner
        hidden = hidden.to(owner.device, owner.dtype)
        self.mask = _extended(self.mask, attention_mask, hidden)
        inputs = owner._placeholders(hidden, self.mask)
        with owner._skipping(self.split, hidden):
            return owner._head_at(None, **inputs, past_key_values=self.cache, use_cache=True)


def position_ids(attention_mask: Tensor, new_tokens: int) -> Tensor:
    """Positions [B, new_tokens] of the last tokens; padding on the left doesn't count, as in `generate`."""
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -new_tokens:]


def _extended(past: Tensor | None, new: Tensor | None, like: Tensor) -> Tensor:
    ones = torch.ones(like.shape[:2], dtype=torch.long, device=like.device)
    new = ones if new is None else new.to(like.device, torch.long)
    return new if past is None else torch.cat([past, new], dim=1)


def _stop(_module: nn.Module, _args: Any, output: Any) -> None:
    raise _StopForwardError(output[0] if isinstance(output, tuple) else output)


def _first_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return cast(Tensor, args[0] if args else kwargs["hidden_states"])


def _find_cache(args: tuple[Any, ...], kwargs: dict[str, Any]) -> DynamicCache | None:
    # Its name and place differ between families (past_key_values, layer_past, second argument): go by type.
    return next((x for x in (*args, *kwargs.values()) if isinstance(x, DynamicCache)), None)


def _append_placeholder(cache: DynamicCache, hidden: Tensor, index: int) -> None:
    """One channel wide: a skipped block must report how many tokens went by, and nothing else."""
    B, T = hidden.shape[:2]
    empty = hidden.new_zeros(B, 1, T, 1)
    cache.update(empty, empty, index)


def _find_blocks(model: Any, num_layers: int) -> nn.ModuleList:
    lists = [m for m in model.base_model.modules() if isinstance(m, nn.ModuleList) and len(m) == num_layers]
    nested = {id(inner) for outer in lists for inner in outer.modules() if inner is not outer}
    candidates = [m for m in lists if id(m) not in nested]
    if len(candidates) != 1:
        raise CannotSplitError(
            f"{type(model).__name__} has {len(candidates)} lists of {num_layers} blocks, exactly 1 is needed"
        )
    return candidates[0]
