"""A tiny random Llama model as a file of llama2.c, and as a GGUF file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

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


def write_gguf(
    path: Path,
    arrays: dict[str, NDArray[np.float32]],
    keys: Mapping[str, Any] = MappingProxyType({}),
    tensors: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
    name: str = "tiny",
) -> None:
    """The same model as a GGUF file: for Llama that format has llama2.c's order of rotary rows.

    `keys` (without the architecture's name) and `tensors` are added; `name` is the model's in the file.
    """
    of_block = {"rms_att": "attn_norm", "wq": "attn_q", "wk": "attn_k", "wv": "attn_v", "wo": "attn_output"}
    of_block |= {"rms_ffn": "ffn_norm", "w1": "ffn_gate", "w2": "ffn_down", "w3": "ffn_up"}
    stored = {
        f"blk.{layer}.{theirs}.weight": arrays[ours][layer]
        for layer in range(LAYERS)
        for ours, theirs in of_block.items()
    }
    stored |= {"token_embd.weight": arrays["embedding"], "output_norm.weight": arrays["rms_final"]}
    stored |= {"output.weight": arrays["wcls"], **tensors}
    fields = {"context_length": CONTEXT, "embedding_length": D, "block_count": LAYERS}
    fields |= {"feed_forward_length": HIDDEN, "attention.head_count": HEADS}
    fields |= {"attention.head_count_kv": KV_HEADS, "rope.dimension_count": HEAD}
    write_gguf_file(path, "llama", {**fields, "attention.layer_norm_rms_epsilon": 1e-5, **keys}, stored, name)


def write_gguf_file(
    path: Path,
    architecture: str,
    keys: Mapping[str, Any],
    tensors: Mapping[str, NDArray[np.float32]],
    name: str = "tiny",
) -> None:
    """A GGUF file of these keys (without the architecture's name) and tensors, with the tiny vocabulary."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), architecture)
    writer.add_name(name)
    for key, value in keys.items():
        full = f"{architecture}.{key}"
        if isinstance(value, bool):
            writer.add_bool(full, value)
        elif isinstance(value, int):
            writer.add_uint32(full, value)
        elif isinstance(value, float):
            writer.add_float32(full, value)
        else:
            writer.add_string(full, value)
    pieces, scores = read_vocabulary(vocabulary(), VOCABULARY)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * len(WORDS)])  # unknown, control, bytes, normal
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for tensor, values in tensors.items():
        writer.add_tensor(tensor, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
