"""What a damaged request costs in language quality, measured by running the real model.

One teacher-forced pass of the edge half over the damaged hidden states gives, for every output position,
what incremental decoding would give with the damaged keys and values kept in the edge's cache: the model is
causal, and concealment looks back only. Everything is compared with the unsplit model as it was loaded,
without a codec. Each half may run with quantised weights (`llm_split.weights`).

Symbols: T uplinked positions, P prompt tokens, N output tokens, W window length, d hidden size, V vocabulary.
"""

from __future__ import annotations

import math
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from llm_split.codecs import get_codec
from llm_split.impairment import DeliveryMask, Impairment
from llm_split.partition import SplitModel
from llm_split.scores import Reference, Scores, compare, head, negative_log_likelihood, reference
from llm_split.weights import BITS

_HEAD_CHUNK = 64  # positions per head call in long passes: bounds the logits to 64 * V values


@dataclass(frozen=True)
class QualityResult:
    """Quality of one request against the unimpaired run. Logarithms are natural.

    Attributes:
        delta_nll: mean over the N output positions of NLL minus unimpaired NLL, nats/token; a token that was
            not generated counts with the clip instead.
        kl: mean KL(unimpaired || impaired) over generated tokens, nats/token; nan if none.
        top1_agreement: share of generated tokens with the same most likely token, 0..1; nan if none.
        ppl: perplexity of the generated tokens under impairment; nan if none.
        reference_ppl: perplexity of all N output tokens without impairment.
        perplexity_ratio: exp(delta_nll).
        tokens_scored: tokens that were generated and scored.
        reused_exact: no forward pass was bought: nothing generated, a complete mask whose pass was there
            already, or all local with unquantised weights.
    """

    delta_nll: float
    kl: float
    top1_agreement: float
    ppl: float
    reference_ppl: float
    perplexity_ratio: float
    tokens_scored: int
    reused_exact: bool = field(compare=False)  # what it cost, not what it says


@dataclass(frozen=True)
class Clean:
    """Quality of a split when nothing is lost: what coding and quantised weights cost.

    Attributes:
        delta_nll: mean NLL minus that of the unquantised, uncoded model, nats/token; chance may make it
            negative.
        stderr: its standard error over the windows, nats/token; nan with fewer than two windows.
        kl, top1_agreement: see `QualityResult`.
        windows: texts that this is the mean over.
    """

    delta_nll: float = 0.0
    stderr: float = 0.0
    kl: float = 0.0
    top1_agreement: float = 1.0
    windows: int = 0


@dataclass
class _Window:
    """One window on the model's device.

    Attributes:
        clean: output [W, d] of the last block of the unquantised model.
        nll: reference NLL [W-1].
        sent: split -> hidden states [W, d] of the UE's blocks; empty until they are needed.
    """

    clean: Tensor
    nll: Tensor
    sent: dict[int, Tensor]


CHANCE_MARGIN_NATS = 1.0
"""A model whose NLL is no further below that of a uniform guess has learned next to nothing."""


def chance_note(model: str, nll: float, vocab_size: int) -> str:
    """A warning that a model predicts its text no better than chance; empty where it does.

    Args:
        model: its name.
        nll: mean NLL of a text without impairment, nats per token.
        vocab_size: V; a uniform guess over V tokens has an NLL of ln V and a perplexity of V.
    """
    if math.isfinite(nll) and nll < math.log(vocab_size) - CHANCE_MARGIN_NATS:
        return ""
    perplexity = math.exp(min(nll, 700.0))
    return (
        f"{model} has a perplexity of {perplexity:.4g} on its text, and a uniform guess over its "
        f"vocabulary {vocab_size}: it looks untrained, or its tokenizer is another's; losses of quality then "
        "mean nothing"
    )


class QualityEvaluator:
    """Scores delivery records on real prompts.

    The residual stream of a window at all `splits` is computed once, at its first use, and kept: about
    (len(splits) + 1) * W * d * bytes-per-value for each window (SmolLM2, 30 splits, W=576: 41 MB). At most
    `max_cached_windows` of them stay, the least recently used go first.

    Requests are never batched together: the same call gives the same bits, whatever came before it. (After an
    eviction the window is recomputed with the same shapes, so that holds too.)

    Attributes:
        evaluations: forward passes of an edge half that were run so far.
        cache_passes: forward passes that filled the window cache so far.

    Args:
        split_model: the quality model.
        prompts: token ids, int64 [n, W].
        splits: cuts that will be asked for, each in 1..num_layers; all local needs no mention.
        impairment: what a missing fragment does to the hidden states.
        delta_nll_clip: cost of a token that was not generated, nats.
        max_cached_windows: None keeps them all.
        ue_bits, edge_bits: width of the linear weights of the blocks on each side, one of
            `llm_split.weights.BITS`; 16 leaves them as they were loaded.
    """

    def __init__(
        self,
        split_model: SplitModel,
        prompts: Tensor,
        splits: Sequence[int],
        impairment: Impairment | None = None,
        delta_nll_clip: float = 5.0,
        max_cached_windows: int | None = None,
        ue_bits: int = 16,
        edge_bits: int = 16,
    ) -> None:
        if prompts.ndim != 2 or prompts.shape[1] < 2 or prompts.dtype != torch.long:
            raise ValueError(f"prompts are {prompts.dtype} {tuple(prompts.shape)}, valid: int64 [n, >= 2]")
        if not (math.isfinite(delta_nll_clip) and delta_nll_clip >= 0):
            raise ValueError(f"delta_nll_clip is {delta_nll_clip}, valid: finite and >= 0")
        if max_cached_windows is not None and max_cached_windows < 1:
            raise ValueError(f"max_cached_windows is {max_cached_windows}, valid: None or >= 1")
        for name, bits in (("ue_bits", ue_bits), ("edge_bits", edge_bits)):
            if bits not in BITS:
                raise ValueError(f"{name} is {bits}, valid: {', '.join(map(str, BITS))}")
        self.ue_bits, self.edge_bits = ue_bits, edge_bits
        self.split_model = split_model
        self.prompts = prompts.cpu()
        self.num_layers = split_model.num_layers
        self.splits = sorted({split_model._checked(s) for s in (*splits, self.num_layers)})
        self.impairment = impairment or Impairment()
        self.delta_nll_clip = delta_nll_clip
        self.max_cached_windows = max_cached_windows
        self.evaluations = 0
        self.cache_passes = 0
        self._windows: OrderedDict[int, _Window] = OrderedDict()
        self._exact: dict[tuple[int, int, str, int], Scores] = {}
        self._references: dict[tuple[int, int, int], Reference] | None = None

    def evaluate(self, prompt_index: int, split: int, codec_name: str, mask: DeliveryMask) -> QualityResult:
        """Score one request.

        The first P tokens of the window are the prompt, the next N the output that is scored. Only the
        positions that the generated tokens depend on are run, so a cut request is cheaper.

        Args:
            prompt_index: row of `prompts`.
            split: one of `splits`, or num_layers (all local: nothing is sent, whatever the mask).
            codec_name: see `llm_split.codecs.codec_names`.
            mask: the delivery record; P + N <= W.

        Raises:
            ValueError: an argument out of range; the message says what is valid.
        """
        codec = get_codec(codec_name)
        self._check(prompt_index, split, mask)
        start = mask.prompt_tokens - 1
        clean_nll = self._window(prompt_index).nll[start : start + mask.output_tokens]
        if mask.generated_tokens == 0:
            return self._result(None, clean_nll, reused=True)
        is_local = split == self.num_layers
        if is_local and self.ue_bits == 16:
            return self._result(Scores.perfect(clean_nll[: mask.generated_tokens]), clean_nll, reused=True)
        if not (is_local or mask.complete):
            hidden = self._received(prompt_index, split, codec_name, mask)
            return self._result(self._scored(prompt_index, split, hidden, start), clean_nll, reused=False)
        key = (prompt_index, split, codec.name, mask.fragments)
        reused = key in self._exact
        if not reused:
            coded = self._sent(prompt_index, split)[:-1]
            if not is_local:
                coded = codec.roundtrip(coded, self.impairment.coded_parts(mask.fragments))
            self._exact[key] = self._scored(prompt_index, split, coded, 0)
        scores = self._exact[key].part(start, start + mask.generated_tokens)
        return self._result(scores, clean_nll, reused)

    def loss_free(self, prompt_index: int, mask: DeliveryMask, clean: Clean) -> QualityResult:
        """The result of a request that lost nothing: its split's means, beside its prompt's reference NLL.

        Args:
            prompt_index: row of `prompts`.
            mask: says how many tokens came out.
            clean: of the split that was used.
        """
        self._check_window(prompt_index, mask)
        start = mask.prompt_tokens - 1
        nll = self._window(prompt_index).nll[start : start + mask.output_tokens]
        generated = nll[: mask.generated_tokens]
        if not len(generated):
            return self._result(None, nll, reused=True)
        kl, agree = (torch.full_like(generated, value) for value in (clean.kl, clean.top1_agreement))
        return self._result(Scores(generated + clean.delta_nll, kl, agree), nll, reused=True)

    @contextmanager
    def references_kept(self) -> Iterator[None]:
        """Keep the unimpaired predictions of the latest window inside the context.

        Evaluations of one window after another then run its unimpaired head once. Takes 8 bytes for each
        position and token of the vocabulary (SmolLM2, W=160: 63 MB); results are the same to the bit.
        """
        self._references = {}
        try:
            yield
        finally:
            self._references = None

    def reference_nll(self, prompt_index: int) -> Tensor:
        """Unimpaired NLL of tokens 1..W-1 of a window, each given all before it: float64 [W-1], nats."""
        return self._window(prompt_index).nll.clone()

    def _check(self, prompt_index: int, split: int, mask: DeliveryMask) -> None:
        self._check_window(prompt_index, mask)
        if split not in self.splits:
            raise ValueError(f"split is {split}, valid: {', '.join(map(str, self.splits))}")
        if split < self.num_layers and mask.fragments < 1 and mask.generated_tokens:
            raise ValueError(f"the mask has no fragments, but split {split} sends some")

    def _check_window(self, prompt_index: int, mask: DeliveryMask) -> None:
        count, width = self.prompts.shape
        if not 0 <= prompt_index < count:
            raise ValueError(f"prompt_index is {prompt_index}, valid: 0..{count - 1}")
        if mask.prompt_tokens + mask.output_tokens > width:
            raise ValueError(
                f"prompt_tokens + output_tokens is {mask.prompt_tokens + mask.output_tokens}, "
                f"the windows have {width} tokens"
            )

    def _window(self, prompt_index: int) -> _Window:
        if prompt_index not in self._windows:
            self._windows[prompt_index] = self._compute_window(prompt_index)
            if self.max_cached_windows is not None and len(self._windows) > self.max_cached_windows:
                self._windows.popitem(last=False)
        self._windows.move_to_end(prompt_index)
        return self._windows[prompt_index]

    @torch.inference_mode()
    def _compute_window(self, prompt_index: int) -> _Window:
        ids = self.prompts[prompt_index]
        found = self._states(prompt_index, self.splits if self.ue_bits == 16 else [self.num_layers])
        clean = found[self.num_layers]
        nll = [
            negative_log_likelihood(head(self.split_model, clean, chunk), ids[chunk + 1])
            for chunk in _chunks(0, len(ids) - 1)
        ]
        return _Window(clean, torch.cat(nll), found if self.ue_bits == 16 else {})

    @torch.inference_mode()
    def _sent(self, prompt_index: int, split: int) -> Tensor:
        """Hidden states [W, d] of a window after the UE's blocks."""
        window = self._window(prompt_index)
        if not window.sent:
            with self.split_model.quantised(range(self.num_layers), self.ue_bits):
                window.sent = self._states(prompt_index, self.splits)
        return window.sent[split]

    def _states(self, prompt_index: int, splits: Sequence[int]) -> dict[int, Tensor]:
        found = self.split_model.hidden_states(self.prompts[prompt_index : prompt_index + 1], splits)
        self.cache_passes += 1
        # Clones: a block may write on in place, and a slice would keep the whole batch tensor alive.
        return {split: states[0].clone() for split, states in found.items()}

    @torch.inference_mode()
    def _received(self, prompt_index: int, split: int, codec_name: str, mask: DeliveryMask) -> Tensor:
        """What the edge computes with: decoded, damaged, concealed, [used positions, d]."""
        sent = self._sent(prompt_index, split)[: mask.used_positions]
        decoded = get_codec(codec_name).roundtrip(sent, self.impairment.coded_parts(mask.fragments))
        return self.impairment.apply(decoded, mask, _luck(prompt_index, mask))

    @torch.inference_mode()
    def _scored(self, prompt_index: int, split: int, hidden: Tensor, start: int) -> Scores:
        """Run the edge half on `hidden` [t, d] and score the predictions of positions start..t-1."""
        self.evaluations += split < self.num_layers
        ids = self.prompts[prompt_index]
        with self.split_model.quantised(range(split, self.num_layers), self.edge_bits):
            outputs = self.split_model.continue_to_last(hidden[None], split)[0]
        parts: list[Scores] = []
        for chunk in _chunks(start, len(hidden)):
            targets = ids[chunk + 1]
            unimpaired = self._reference(prompt_index, chunk)
            parts.append(compare(head(self.split_model, outputs, chunk), unimpaired, targets))
        return Scores.joined(parts)

    def _reference(self, prompt_index: int, positions: Tensor) -> Reference:
        """The unimpaired model at neighbouring positions of a window."""
        clean = self._window(prompt_index).clean
        if self._references is None:
            return reference(head(self.split_model, clean, positions))
        key = (prompt_index, int(positions[0]), len(positions))
        if key not in self._references:
            for other in [other for other in self._references if other[0] != prompt_index]:
                del self._references[other]
            self._references[key] = reference(head(self.split_model, clean, positions))
        return self._references[key]

    def _result(self, scores: Scores | None, clean_nll: Tensor, reused: bool) -> QualityResult:
        wanted = len(clean_nll)
        generated = 0 if scores is None else len(scores.nll)
        excess = 0.0 if scores is None else float((scores.nll - clean_nll[:generated]).sum())
        delta = (excess + self.delta_nll_clip * (wanted - generated)) / wanted
        return QualityResult(
            delta_nll=delta,
            kl=math.nan if scores is None else float(scores.kl.mean()),
            top1_agreement=math.nan if scores is None else float(scores.agree.mean()),
            ppl=math.nan if scores is None else _exp(float(scores.nll.mean())),
            reference_ppl=_exp(float(clean_nll.mean())),
            perplexity_ratio=_exp(delta),
            tokens_scored=generated,
            reused_exact=reused,
        )


def proxy_split(split: int, deployed_layers: int, quality_layers: int) -> int:
    """The quality model's cut at the same relative depth as the deployed model's `split`.

    All local maps to all local; any other cut to 1..quality_layers-1, since it does send something.
    """
    if not 1 <= split <= deployed_layers:
        raise ValueError(f"split is {split}, valid: 1..{deployed_layers}")
    if quality_layers < 2:
        raise ValueError(f"quality_layers is {quality_layers}, valid: >= 2")
    if split == deployed_layers:
        return quality_layers
    return min(max(round(split * quality_layers / deployed_layers), 1), quality_layers - 1)


def _chunks(start: int, end: int) -> tuple[Tensor, ...]:
    """Positions start..end-1 in pieces whose logits fit in memory."""
    return torch.split(torch.arange(start, end), _HEAD_CHUNK)


def _luck(prompt_index: int, mask: DeliveryMask) -> int:
    """A seed that is the same at every call with this prompt and this record."""
    return zlib.crc32(mask.delivered.tobytes(), prompt_index)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
