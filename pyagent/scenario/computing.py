"""What one request costs in computing alone, timed as the simulator does."""

from __future__ import annotations

from dataclasses import dataclass

from llm_split.roofline import ComputeTables


@dataclass(frozen=True)
class Computing:
    """Seconds of computing of one request at one split: no network and no waiting.

    Attributes:
        ttft_s: UE and edge, to the first token.
        decode_s: UE and edge, all later tokens.
        ue_prefill_s: the UE's blocks over the prompt.
        ue_s: all that the UE computes.
    """

    ttft_s: float
    decode_s: float
    ue_prefill_s: float
    ue_s: float

    @property
    def completion_s(self) -> float:
        """All of it."""
        return self.ttft_s + self.decode_s


def computing(
    split: int,
    num_layers: int,
    ue: ComputeTables,
    edge: ComputeTables,
    prompt_tokens: int,
    output_tokens: int,
) -> Computing:
    """Work it out.

    Args:
        split: blocks on the UE.
        num_layers: of the model.
        ue, edge: their compute times; they must reach prompt_tokens + output_tokens - 1 tokens.
        prompt_tokens, output_tokens: P and N of the request, >= 1.
    """
    rest = num_layers - split
    local = rest == 0
    contexts = range(prompt_tokens + 1, prompt_tokens + output_tokens)
    ue_prefill_s = split * ue.prefill_block_s[prompt_tokens]
    head_s = ue.decode_head_s if local else edge.decode_head_s
    ue_decode_s = sum(split * ue.decode_block_s[context] for context in contexts)
    rest_decode_s = sum(rest * edge.decode_block_s[context] + head_s for context in contexts)
    return Computing(
        ttft_s=ue_prefill_s + rest * edge.prefill_block_s[prompt_tokens] + head_s,
        decode_s=ue_decode_s + rest_decode_s,
        ue_prefill_s=ue_prefill_s,
        ue_s=ue_prefill_s + ue_decode_s + (output_tokens * head_s if local else 0.0),
    )
