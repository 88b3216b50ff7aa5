"""A tiny random Llama model as a file of llama2.c, and as a GGUF file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_split.models.llama2c import read_vocabulary

# Two query heads for each key/value head, and no two sizes alike: a mixed-up layout can't go unseen.
D, HIDDEN, LAYERS, HEADS, KV_HEADS, CONTEXT = 24, 40, 3, 4, 2, 16
HEAD = D // HEADS
WORDS = ["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello", "lo", "▁h", "ello"]
VOCABULARY = 259 + len(WORDS)


def checkpoint(shared: bool) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """A random model in the checkpoint's layout: its bytes, and its arrays by llama2.c's names."""
    rng = np.random.default_rng(5)
    kv = KV_HEADS * HEAD
    dims = {
        "embedding": (VOCABULARY, D),
        "rms_att": (LAYERS, D),
        "wq": (LAYERS, D, D),
        "wk": (LAYERS, kv, D),
        "wv": (LAYERS, kv, D),
        "wo": (LAYERS, D, D),
        "rms_ffn": (LAYERS, D),
        "w1": (LAYERS, HIDDEN, D),
        "w2": (LAYERS, D, HIDDEN),
        "w3": (LAYERS, HIDDEN, D),
        "rms_final": (D,),
        "cos": (CONTEXT, HEAD // 2),
        "sin": (CONTEXT, HEAD // 2),
    } | ({} if shared else {"wcls": (VOCABULARY, D)})
    arrays = {name: rng.normal(0, 0.5, shape).astype("<f4") for name, shape in dims.items()}
    sign = 1 if shared else -1
    header = struct.pack("<7i", D, HIDDEN, LAYERS, HEADS, KV_HEADS, sign * VOCABULARY, CONTEXT)
    return header + b"".join(array.tobytes() for array in arrays.values()), arrays


def vocabulary(hexadecimal: bool = True) -> bytes:
    """A tokenizer file. Bytes are spelled in one of the two ways that are in use."""
    stored = ["<unk>", "\n<s>\n", "\n</s>\n"]
    stored += [f"<0x{value:02X}>" if hexadecimal else chr(value) for value in range(256)]
    entries = [(text, 0.0) for text in stored]
    entries += [(word.replace("▁", " "), -float(rank)) for rank, word in enumerate(WORDS)]
    out = struct.pack("<i", 7)
    for text, score in entries:
        content = text.encode()
        out += struct.pack("<fi", score, len(content)) + content
    return out


def write_gguf(path: Path, arrays: dict[str, NDArray[np.float32]]) -> None:
    """The same model as a GGUF file: for Llama that format has llama2.c's order of rotary rows."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(D)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    pieces, scores = read_vocabulary(vocabulary(), VOCABULARY)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * len(WORDS)])  # unknown, control, bytes, normal
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    of_block = {"rms_att": "attn_norm", "wq": "attn_q", "wk": "attn_k", "wv": "attn_v", "wo": "attn_output"}
    of_block |= {"rms_ffn": "ffn_norm", "w1": "ffn_gate", "w2": "ffn_down", "w3": "ffn_up"}
    for layer in range(LAYERS):
        for ours, theirs in of_block.items():
            writer.add_tensor(f"blk.{layer}.{theirs}.weight", arrays[ours][layer])
    writer.add_tensor("token_embd.weight", arrays["embedding"])
    writer.add_tensor("output_norm.weight", arrays["rms_final"])
    writer.add_tensor("output.weight", arrays["wcls"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
