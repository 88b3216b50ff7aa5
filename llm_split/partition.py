"""Cut any decoder of the transformers library between two blocks, without rewriting its forward pass.

The library's own forward runs in every case, so masks, rotary tables and soft caps stay its business. A *UE
half* runs it until block `split` and stops there; an *edge half* runs it with the blocks below `split`
replaced by pass-throughs, the last of which hands over the received hidden states.

Symbols: B batch, T tokens, d hidden size, V vocabulary, L blocks.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from llm_split.codecs import require_finite
from llm_split.standins import (
    PassThrough,
    Recorded,
    StopForwardError,
    append_placeholder,
    hidden_of,
    replaced,
    stop_forward,
)
from llm_split.weights import BITS, QuantisedBlock

_CAUSAL_TOLERANCE = 1e-3
"""Relative change of a position's hidden states that a later token may make: rounding, in any precision."""


class CannotSplitError(ValueError):
    """The model is no decoder with one list of blocks that can be cut; the message says why."""


class SplitModel:
    """A decoder that can be cut before any block, `1 <= split <= num_layers`.

    `split` is the number of blocks on the UE; at `num_layers` only the final norm and the head are left to
    the edge. The wrapped model is put in eval mode, is otherwise unchanged between calls, and not safe to use
    from two threads at once.

    Args:
        model: what `AutoModelForCausalLM` loads.
        missing: blocks whose weights are not in memory (`llm_split.load_half`); what needs them fails.

    Raises:
        CannotSplitError: an encoder-decoder, no list of `num_hidden_layers` blocks, or more than one, blocks
            that don't return the hidden states [B, T, d], or that look at later tokens.
    """

    def __init__(self, model: Any, missing: Collection[int] = ()) -> None:
        _refuse_encoder_decoder(model)
        self.model = model.eval()
        self.config = model.config.get_text_config()
        self.blocks = find_blocks(model, int(self.config.num_hidden_layers))
        self.num_layers = len(self.blocks)
        self.hidden_size = int(self.config.hidden_size)
        self._forward = model.forward
        self._accepts = set(inspect.signature(model.forward).parameters)
        # transformers 5.24 renamed the argument.
        self._cache_argument = "cache" if "cache" in self._accepts else "past_key_values"
        self.missing = frozenset(missing)
        self._quantised: dict[tuple[int, int], QuantisedBlock] = {}
        self._tuple_sizes = self._probe()

    @property
    def device(self) -> torch.device:
        return _present_parameter(self.model).device

    @property
    def dtype(self) -> torch.dtype:
        return _present_parameter(self.model).dtype

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
                found[split] = hidden_of(output)
                if split == wanted[-1]:
                    raise StopForwardError(found[split])

            return hook

        handles = [self.blocks[s - 1].register_forward_hook(capture(s)) for s in wanted]
        try:
            self._call(input_ids=input_ids.to(self.device))
        except StopForwardError:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return {split: found[split] for split in wanted}

    @torch.inference_mode()
    def continue_to_last(self, hidden: Tensor, split: int) -> Tensor:
        """Run blocks `split`.. on `hidden` [B, T, d]; the output of the last block, before the final norm.

        Raises:
            ValueError: `hidden` has another width, or values that are not finite.
        """
        hidden = self._received(hidden)
        if self._checked(split) == self.num_layers:
            return hidden
        mask = torch.ones(hidden.shape[:2], dtype=torch.long, device=self.device)
        handle = self.blocks[-1].register_forward_hook(stop_forward)
        try:
            with self._skipping(split, hidden):
                self._call(**self._placeholders(hidden, mask))
        except StopForwardError as stop:
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

        Raises:
            ValueError: `hidden` has another width, or values that are not finite.
        """
        return self._head_through(self._received(hidden), self._checked(split), positions)

    @contextmanager
    def quantised(self, blocks: Iterable[int], bits: int) -> Iterator[None]:
        """Let some blocks compute with quantised weights inside the context (`llm_split.weights`).

        Each block is quantised once per width; the copy of its linear weights stays in memory.

        Args:
            blocks: indices, each in 0..num_layers-1.
            bits: 4 or 8; 16 changes nothing.

        Raises:
            ValueError: another number of bits.
            CannotSplitError: a block has no linear weights.
        """
        if bits not in BITS:
            raise ValueError(f"bits is {bits}, valid: {', '.join(map(str, BITS))}")
        others = {} if bits == 16 else {index: self._quantised_block(index, bits) for index in blocks}
        with replaced(self.blocks, others):
            yield

    @torch.inference_mode()
    def _quantised_block(self, index: int, bits: int) -> QuantisedBlock:
        if (index, bits) not in self._quantised:
            try:
                self._quantised[index, bits] = QuantisedBlock(self.blocks[index], bits)
            except ValueError as error:
                raise CannotSplitError(f"{type(self.model).__name__}: {error}") from error
        return self._quantised[index, bits]

    def ue_half(self, split: int) -> UeHalf:
        """The first `split` blocks with a KV cache of their own."""
        return UeHalf(self, self._checked(split))

    def edge_half(self, split: int) -> EdgeHalf:
        """Blocks `split`.. , norm and head, with a KV cache of their own."""
        return EdgeHalf(self, self._checked(split))

    def new_cache(self) -> DynamicCache:
        """An empty KV cache.

        Raises:
            CannotSplitError: the blocks keep a recurrent state instead, so that only whole passes can be cut.
        """
        cache = DynamicCache(config=self.config)
        other = [type(layer).__name__ for layer in cache.layers if not isinstance(layer, DynamicLayer)]
        if other:
            raise CannotSplitError(
                f"{type(self.model).__name__} keeps {other[0]} states, not keys and values: "
                "it can be cut for whole passes, not for decoding token by token"
            )
        return cache

    def _checked(self, split: int) -> int:
        if not 1 <= split <= self.num_layers:
            raise ValueError(f"split is {split}, valid: 1..{self.num_layers}")
        return split

    def _received(self, hidden: Tensor) -> Tensor:
        if hidden.ndim != 3 or hidden.shape[-1] != self.hidden_size:
            raise ValueError(
                f"hidden states have shape {tuple(hidden.shape)}, valid: (batch, tokens, {self.hidden_size})"
            )
        return require_finite(hidden.to(self.device, self.dtype), "hidden states")

    def _call(self, cache: DynamicCache | None = None, **kwargs: Any) -> Any:
        accepted = {k: v for k, v in kwargs.items() if k in self._accepts}
        if cache is not None:
            accepted[self._cache_argument] = cache
        return self._forward(**accepted, use_cache=cache is not None)

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
        return {
            "inputs_embeds": self._embeddings(B, T),
            "attention_mask": attention_mask,
            "position_ids": position_ids(attention_mask, T),
        }

    def _embeddings(self, B: int, T: int) -> Tensor:
        """Zeros [B, T, width of the embedding table]."""
        width = self.model.get_input_embeddings().weight.shape[1]
        return torch.zeros(B, T, width, dtype=self.dtype, device=self.device)

    @contextmanager
    def _skipping(self, split: int, hidden: Tensor) -> Iterator[None]:
        skipped = {
            i: PassThrough(self.blocks[i], i, self._tuple_sizes[i], hidden if i == split - 1 else None)
            for i in range(split)
        }
        with replaced(self.blocks, skipped):
            yield

    def _probe(self) -> list[int]:
        """Length of the tuple that each block returns, 0 for a plain tensor; a few passes of few tokens."""
        try:
            return self._probed()
        except (CannotSplitError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever a model that is built otherwise makes of it
            reason = " ".join(str(error).split())[:200]
            raise CannotSplitError(
                f"{type(self.model).__name__} can't be cut: {type(error).__name__}: {reason}"
            ) from error

    @torch.inference_mode()
    def _probed(self) -> list[int]:
        name = type(self.model).__name__
        outputs = self._block_outputs(last_token=0.0)
        firsts = [hidden_of(out) for out in outputs]
        expected = (1, 2, self.hidden_size)
        if len(outputs) != self.num_layers or any(tuple(first.shape) != expected for first in firsts):
            raise CannotSplitError(f"blocks of {name} don't return [B, T, d] once each")
        others = [hidden_of(out) for out in self._block_outputs(last_token=1.0)]
        if any(_changed(a[:, 0], b[:, 0]) for a, b in zip(firsts, others, strict=True)):
            raise CannotSplitError(f"{name} looks at later tokens, so it is no decoder; one is needed")
        self._tuple_sizes = [len(out) if isinstance(out, tuple) else 0 for out in outputs]
        if not self.missing and not self._cut_is_exact():
            raise CannotSplitError(f"{name} hands more from block to block than the hidden states")
        return self._tuple_sizes

    def _cut_is_exact(self) -> bool:
        """Whether some tokens score the same through three cuts as through the whole model."""
        vocabulary = int(self.config.vocab_size)
        ids = torch.tensor([[1 % vocabulary, 5 % vocabulary, 2 % vocabulary, 7 % vocabulary]])
        whole = self._call(input_ids=ids.to(self.device)).logits
        splits = sorted({1, (self.num_layers + 1) // 2, max(1, self.num_layers - 1)})
        hidden = self.hidden_states(ids, splits)
        return not any(_changed(whole, self._head_through(hidden[split], split)) for split in splits)

    def _head_through(self, hidden: Tensor, split: int, positions: Tensor | None = None) -> Tensor:
        mask = torch.ones(hidden.shape[:2], dtype=torch.long, device=self.device)
        with self._skipping(split, hidden):
            return self._head_at(positions, **self._placeholders(hidden, mask))

    def _block_outputs(self, last_token: float) -> list[Any]:
        """What each block returns for two made-up embeddings, in the order of their calls.

        Another block stands in for a missing one: it returns the same kind of thing.
        """
        embeddings = self._embeddings(1, 2)
        embeddings[0, 0, ::2] = 1.0
        embeddings[0, 1, ::3] = last_token
        present = next(b for i, b in enumerate(self.blocks) if i not in self.missing)
        outputs: list[Any] = []
        with replaced(self.blocks, dict.fromkeys(self.missing, present)):
            # Wrapped, because a hook on a block that stands in for others would not know which it is.
            wrapped = {i: Recorded(block, outputs, self.num_layers) for i, block in enumerate(self.blocks)}
            with replaced(self.blocks, wrapped), suppress(StopForwardError):
                self._call(inputs_embeds=embeddings)
        return outputs


class _Half:
    """One request on one side: its KV cache and which of its tokens are padding."""

    def __init__(self, split_model: SplitModel, split: int) -> None:
        self.owner, self.split = split_model, split
        self.reset()

    def reset(self) -> None:
        """Forget the request: start over with an empty cache."""
        self.cache = self.owner.new_cache()
        self.mask: Tensor | None = None
        self._failed = False

    @contextmanager
    def _step(self, new: Tensor, attention_mask: Tensor | None) -> Iterator[Tensor]:
        """The mask [B, all tokens] with the new tokens [B, T, ...]; kept when the step went well.

        Raises:
            ValueError: a mask of another shape, or an earlier step failed and left the cache half filled.
        """
        if self._failed:
            raise ValueError("an earlier step failed, so this half has lost count: call reset()")
        mask = _extended(self.mask, attention_mask, new)
        self._failed = True
        yield mask
        self._failed = False
        self.mask = mask


class UeHalf(_Half):
    """The device's part of one request: token ids in, hidden states out, token by token or many at once."""

    @torch.inference_mode()
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Append tokens.

        Args:
            input_ids: int64 [B, T], the new tokens.
            attention_mask: int64 [B, T] for the new tokens, 0 at left padding; default ones.

        Returns:
            Hidden states [B, T, d] that enter block `split`.

        Raises:
            ValueError: a mask of another shape; or an earlier step failed.
        """
        owner = self.owner
        input_ids = input_ids.to(owner.device)
        with self._step(input_ids, attention_mask) as mask:
            hidden = self._stopped_at_the_cut(input_ids, mask)
            for index in range(self.split, owner.num_layers):
                append_placeholder(self.cache, hidden, index)
        return hidden

    def _stopped_at_the_cut(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        owner = self.owner
        handle = owner.blocks[self.split - 1].register_forward_hook(stop_forward)
        try:
            owner._call(
                input_ids=input_ids,
                attention_mask=mask,
                position_ids=position_ids(mask, input_ids.shape[1]),
                cache=self.cache,
            )
        except StopForwardError as stop:
            return stop.hidden
        finally:
            handle.remove()
        raise AssertionError("the cut was not reached")  # _probe saw that every block runs


class EdgeHalf(_Half):
    """The server's part of one request: hidden states in, logits out."""

    @torch.inference_mode()
    def forward(
        self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """Append tokens.

        Args:
            hidden: [B, T, d], what enters block `split` for the new tokens.
            attention_mask: int64 [B, T] for the new tokens, 0 at left padding; default ones.
            positions: int64 [K], which of the new tokens the head runs for; None means all T.

        Returns:
            Logits [B, K, V] of the new tokens (K = T without `positions`).

        Raises:
            ValueError: `hidden` has another width, or values that are not finite; a mask of another shape;
                or an earlier step failed.
        """
        owner = self.owner
        hidden = owner._received(hidden)
        with self._step(hidden, attention_mask) as mask:
            inputs = owner._placeholders(hidden, mask)
            with owner._skipping(self.split, hidden):
                return owner._head_at(positions, **inputs, cache=self.cache)


def position_ids(attention_mask: Tensor, new_tokens: int) -> Tensor:
    """Positions [B, new_tokens] of the last tokens; padding on the left doesn't count, as in `generate`."""
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -new_tokens:]


def _extended(past: Tensor | None, new: Tensor | None, like: Tensor) -> Tensor:
    ones = torch.ones(like.shape[:2], dtype=torch.long, device=like.device)
    new = ones if new is None else new.to(like.device, torch.long)
    if new.shape != ones.shape:
        raise ValueError(f"attention_mask has shape {tuple(new.shape)}, valid: {tuple(ones.shape)}")
    if past is not None and len(past) != len(new):
        raise ValueError(f"the batch has {len(new)} rows, valid: {len(past)}, as in the steps before")
    return new if past is None else torch.cat([past, new], dim=1)


def _changed(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() > _CAUSAL_TOLERANCE * a.abs().max())


def _present_parameter(model: Any) -> Tensor:
    """A parameter that is in memory; in a half some are not."""
    return next(cast(Tensor, parameter) for parameter in model.parameters() if not parameter.is_meta)


def _refuse_encoder_decoder(model: Any) -> None:
    if getattr(model.config, "is_encoder_decoder", False):
        raise CannotSplitError(f"{type(model).__name__} is an encoder-decoder; a decoder is needed")


def find_blocks(model: Any, num_layers: int) -> nn.ModuleList:
    """The one list of `num_layers` blocks in a model. Raises CannotSplitError."""
    lists = [m for m in model.base_model.modules() if isinstance(m, nn.ModuleList) and len(m) == num_layers]
    nested = {id(inner) for outer in lists for inner in outer.modules() if inner is not outer}
    candidates = [m for m in lists if id(m) not in nested]
    if len(candidates) != 1:
        raise CannotSplitError(
            f"{type(model).__name__} has {len(candidates)} lists of {num_layers} blocks, exactly 1 is needed"
        )
    return candidates[0]
