"""Reader of llama2.c's own model files, written from their layout: a float checkpoint and a tokenizer.

The checkpoint (little-endian) is 7 int32 (d, hidden, L, heads, key/value heads, vocabulary, context; a
negative vocabulary says that the output head has weights of its own), then float32 arrays end to end. Queries
and keys are laid out for rotary pairs (2i, 2i+1); transformers' Llama pairs i with i + half a head, so their
rows are reordered: the products of queries and keys, and so the logits, stay the same. The tokenizer is one
int32 and, for each id, a float32 score, an int32 length and the bytes, with spaces for SentencePiece's "▁".
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_HEADER = struct.Struct("<7i")
_ENTRY = struct.Struct("<fi")
_UNKNOWN, _BEGIN, _END = "<unk>", "<s>", "</s>"
_FIRST_BYTE, _FIRST_PIECE = 3, 259
"""Ids of byte 0 and of the first piece of text in a Llama vocabulary."""
_SPACE = "▁"


@dataclass(frozen=True)
class Shape:
    """What a checkpoint's header says. `shared_head`: the output head is the embedding table."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    vocab_size: int
    context: int
    shared_head: bool

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_heads


def load_llama2c(path: Path) -> tuple[Any, Any]:
    """(LlamaForCausalLM in float32, fast tokenizer) from a checkpoint with its tokenizer right behind it.

    Raises:
        ValueError: the file is not of that layout.
    """
    from transformers import LlamaForCausalLM

    data = path.read_bytes()
    shape = read_shape(data)
    weights, used_bytes = read_weights(data, shape)
    tokenizer = build_tokenizer(*read_vocabulary(data[used_bytes:], shape.vocab_size))
    model = LlamaForCausalLM(_config(shape))
    model.load_state_dict(weights)
    return model, tokenizer


def read_shape(data: bytes) -> Shape:
    """The header.

    Raises:
        ValueError: too short, or no sizes of a model.
    """
    if len(data) < _HEADER.size:
        raise ValueError(f"checkpoint has {len(data)} bytes, its header alone takes {_HEADER.size}")
    d, hidden, layers, heads, kv_heads, vocabulary, context = _HEADER.unpack_from(data)
    sizes = (d, hidden, layers, heads, kv_heads, abs(vocabulary), context)
    if min(sizes) < 1 or d % heads or heads % kv_heads or (d // heads) % 2:
        raise ValueError(f"checkpoint header {sizes} describes no Llama model")
    return Shape(d, hidden, layers, heads, kv_heads, abs(vocabulary), context, vocabulary > 0)


def read_weights(data: bytes, shape: Shape) -> tuple[dict[str, Tensor], int]:
    """transformers' names -> float32 tensors, and the number of bytes that the checkpoint takes.

    Raises:
        ValueError: the file ends too early.
    """
    arrays, used_bytes = _read_arrays(data, shape)
    weights = {"model.embed_tokens.weight": arrays.pop("embedding")}
    weights["model.norm.weight"] = arrays.pop("final_norm")
    weights["lm_head.weight"] = arrays.pop("head", weights["model.embed_tokens.weight"])
    for name, stacked in arrays.items():  # what is left has one entry for each block
        for block, array in enumerate(stacked):
            weights[f"model.layers.{block}.{name}.weight"] = array
    return {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}, used_bytes


def _read_arrays(data: bytes, shape: Shape) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Arrays in the file's order, queries and keys already for transformers' pairs; bytes used."""
    sections = _sections(shape)
    used_bytes = _HEADER.size + 4 * sum(math.prod(dims) for _, dims in sections)
    if len(data) < used_bytes:
        raise ValueError(f"checkpoint has {len(data)} bytes, its header asks for {used_bytes}")
    arrays = {}
    offset = _HEADER.size
    for name, dims in sections:
        count = math.prod(dims)
        if name:
            arrays[name] = np.frombuffer(data, "<f4", count, offset).reshape(dims)
        offset += 4 * count
    for name in ("self_attn.q_proj", "self_attn.k_proj"):
        arrays[name] = _halves_from_pairs(arrays[name], shape.head_dim)
    return arrays, used_bytes


def _sections(shape: Shape) -> list[tuple[str, tuple[int, ...]]]:
    """The arrays in the file's order under transformers' names; no name for what is not needed."""
    d, hidden = shape.hidden_size, shape.intermediate_size
    layers, vocabulary = shape.num_layers, shape.vocab_size
    kv = shape.num_kv_heads * shape.head_dim
    rotary_table = (shape.context, shape.head_dim // 2)
    sections: list[tuple[str, tuple[int, ...]]] = [
        ("embedding", (vocabulary, d)),
        ("input_layernorm", (layers, d)),
        ("self_attn.q_proj", (layers, d, d)),
        ("self_attn.k_proj", (layers, kv, d)),
        ("self_attn.v_proj", (layers, kv, d)),
        ("self_attn.o_proj", (layers, d, d)),
        ("post_attention_layernorm", (layers, d)),
        ("mlp.gate_proj", (layers, hidden, d)),
        ("mlp.down_proj", (layers, d, hidden)),
        ("mlp.up_proj", (layers, hidden, d)),
        ("final_norm", (d,)),
        ("", rotary_table),  # cosines
        ("", rotary_table),  # sines
    ]
    return sections if shape.shared_head else [*sections, ("head", (vocabulary, d))]


def _halves_from_pairs(weight: NDArray[np.float32], head_dim: int) -> NDArray[np.float32]:
    """Reorder [L, heads x head_dim, d]: rows 2i and 2i+1 of a head become rows i and i + head_dim/2."""
    layers, rows, d = weight.shape
    pairs = weight.reshape(layers, rows // head_dim, head_dim // 2, 2, d)
    halves: NDArray[np.float32] = pairs.swapaxes(2, 3).reshape(layers, rows, d)
    return halves


def _config(shape: Shape) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        vocab_size=shape.vocab_size,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.shared_head,
        rms_norm_eps=1e-5,
        bos_token_id=1,
        eos_token_id=2,
    )


def read_vocabulary(data: bytes, size: int) -> tuple[list[str], list[float]]:
    """Pieces as SentencePiece spells them, by id, and their scores.

    Raises:
        ValueError: the data end too early or too late, or ids 0 to 258 are not those of a Llama vocabulary.
    """
    entries, offset = [], 4  # behind the length of the longest piece
    try:
        for _ in range(size):
            score, length = _ENTRY.unpack_from(data, offset)
            offset += _ENTRY.size + length
            entries.append((data[offset - length : offset].decode("utf-8"), score))
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"tokenizer: entry {len(entries)} of {size} can't be read: {error}") from error
    if offset != len(data):
        raise ValueError(f"tokenizer has {len(data)} bytes, {size} entries take {offset}")
    return _spelled([piece for piece, _ in entries]), [score for _, score in entries]


def _spelled(stored: list[str]) -> list[str]:
    """Undo what the file's writer did to special tokens, bytes and spaces."""
    stripped = [piece.strip() for piece in stored[:_FIRST_BYTE]]
    if stripped != [_UNKNOWN, _BEGIN, _END] or len(stored) < _FIRST_PIECE:
        raise ValueError(f"tokenizer starts with {stripped}, valid: {[_UNKNOWN, _BEGIN, _END]} and 256 bytes")
    hexadecimal = [f"<0x{value:02X}>" for value in range(256)]
    for value, piece in enumerate(stored[_FIRST_BYTE:_FIRST_PIECE]):
        if piece not in (hexadecimal[value], chr(value)):  # both ways are in use
            raise ValueError(f"tokenizer id {_FIRST_BYTE + value} is {piece!r}, valid: {hexadecimal[value]}")
    return [*stripped, *hexadecimal, *(piece.replace(" ", _SPACE) for piece in stored[_FIRST_PIECE:])]


def build_tokenizer(pieces: list[str], scores: list[float]) -> Any:
    """A fast tokenizer that encodes as SentencePiece's BPE does; it puts `<s>` in front.

    Args:
        pieces: by id; ids 0 to 258 are the special tokens and the bytes.
        scores: of each; the higher is merged first.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = _merges(pieces[_FIRST_PIECE:], scores[_FIRST_PIECE:])
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=_UNKNOWN, fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),  # the space that was put in front
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A", special_tokens=[(_BEGIN, vocabulary[_BEGIN])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=_UNKNOWN,
        bos_token=_BEGIN,
        eos_token=_END,
        clean_up_tokenization_spaces=False,
    )


def _merges(pieces: list[str], scores: list[float]) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, the best score of the result first."""
    known = set(pieces)
    order = sorted(range(len(pieces)), key=lambda i: -scores[i])
    return [
        (piece[:cut], piece[cut:])
        for piece in (pieces[i] for i in order)
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]
