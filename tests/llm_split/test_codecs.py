"""Sizes on the wire are exact, and a round trip loses what its definition says, fragment by fragment."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from llm_split.codecs import Codec, channel_bounds, codec_names, get_codec, register_codec, require_finite
from llm_split.codecs.integer import IntegerCodec

NAMES = ["fp16", "int4", "int4-token", "int8", "int8-token"]
INTEGERS = NAMES[1:]


def sample(scale: float = 3.0) -> torch.Tensor:
    return torch.randn(5, 7, 96, generator=torch.Generator().manual_seed(0)) * scale


def test_llama_2_7b_in_fp16_is_six_fragments_of_1366_bytes_at_most() -> None:
    codec = get_codec("fp16")
    sizes = codec.fragment_bytes(4096, 1400)
    assert sizes == [1364, 1366, 1366, 1364, 1366, 1366]
    assert sum(sizes) == 2 * 4096 == codec.token_bytes(4096, 6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hidden_size", [1, 48, 576, 2048, 4096])
@pytest.mark.parametrize("payload_bytes", [64, 300, 1400])
def test_fragments_fit_and_are_as_few_as_possible(name: str, hidden_size: int, payload_bytes: int) -> None:
    codec = get_codec(name)
    fragments = codec.fragments_per_token(hidden_size, payload_bytes)
    sizes = codec.fragment_bytes(hidden_size, payload_bytes)
    assert len(sizes) == fragments
    assert max(sizes) <= payload_bytes
    assert sum(sizes) == codec.token_bytes(hidden_size, fragments)
    if fragments > 1:
        fewer = channel_bounds(hidden_size, fragments - 1)
        assert max(codec.channels_bytes(b - a) for a, b in fewer) > payload_bytes


def test_integer_codecs_count_every_scale() -> None:
    """Two bytes for every 32 channels of a fragment, or for every fragment."""
    assert get_codec("int8").token_bytes(4096, 1) == 4096 + 128 * 2
    assert get_codec("int8").token_bytes(4096, 3) == 4096 + 3 * 43 * 2  # 1365 or 1366 channels: 42 2/3 blocks
    assert get_codec("int8-token").token_bytes(4096, 3) == 4096 + 3 * 2
    assert get_codec("int4").token_bytes(7, 1) == 4 + 2  # 7 nibbles take 4 bytes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 7, 32, 33, 576, 683])
def test_what_travels_has_the_stated_size_and_decodes_to_the_round_trip(name: str, channels: int) -> None:
    codec = get_codec(name)
    x = torch.randn(6, channels, generator=torch.Generator().manual_seed(channels))
    x *= torch.tensor([0.0, 1e-30, 1e-3, 1.0, 300.0, 1e30])[:, None]
    data = codec.encode(x)
    assert data.dtype == torch.uint8
    assert data.shape == (6, codec.channels_bytes(channels))
    assert torch.equal(codec.decode(data, channels), codec.roundtrip(x))


def test_fp16_saturates() -> None:
    x = torch.tensor([[1e9, -1e9, 65504.0, 70000.0, 0.0, 1.0]])
    decoded = get_codec("fp16").roundtrip(x)
    assert decoded.tolist() == [[65504.0, -65504.0, 65504.0, 65504.0, 0.0, 1.0]]


@pytest.mark.parametrize("name", INTEGERS)
def test_the_largest_half_precision_value_stays_finite(name: str) -> None:
    x = torch.full((1, 33), 65504.0).half()
    assert torch.isfinite(get_codec(name).roundtrip(x)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_fragment_in_parts_weighs_what_its_parts_do(name: str) -> None:
    codec = get_codec(name)
    sizes = codec.fragment_bytes(4096, 1400, parts=8)
    bounds = channel_bounds(4096, 8 * len(sizes))
    assert sizes[1] == sum(codec.channels_bytes(b - a) for a, b in bounds[8:16])
    assert max(sizes) <= 1400


def test_fp16_is_half_precision() -> None:
    x = sample()
    assert torch.equal(get_codec("fp16").roundtrip(x, 6), x.half().float())


def blocks(name: str, fragments: int) -> list[tuple[int, int]]:
    """Channels that share a scale: at most 32 of one fragment, or all of it."""
    size = 96 if name.endswith("-token") else 32
    bounds = channel_bounds(96, fragments)
    return [(s, min(s + size, end)) for start, end in bounds for s in range(start, end, size)]


@pytest.mark.parametrize(("name", "levels"), [(n, 127 if "8" in n else 7) for n in INTEGERS])
@pytest.mark.parametrize("fragments", [1, 5])
def test_integer_error_is_at_most_half_a_step_of_its_own_block(
    name: str, levels: int, fragments: int
) -> None:
    x = sample()
    x[2, 3, 10] = 5000.0  # an outlier may only cost the block that it is in
    decoded = get_codec(name).roundtrip(x, fragments)
    for start, end in blocks(name, fragments):
        # A bfloat16 has 8 significant bits, so rounding the scale up makes it at most 1/128 larger.
        step = x[..., start:end].abs().amax(-1, keepdim=True) / levels * (1 + 1 / 128)
        assert bool(((decoded - x)[..., start:end].abs() <= step / 2 * 1.0001).all())
    assert not torch.equal(decoded, x)


@pytest.mark.parametrize("name", NAMES)
def test_roundtrip_keeps_shape_dtype_zeros_and_tokens_apart(name: str) -> None:
    x = sample()
    x[0, 0] = 0
    codec = get_codec(name)
    decoded = codec.roundtrip(x, 3)
    assert decoded.shape == x.shape
    assert decoded.dtype == x.dtype
    assert torch.equal(decoded[0, 0], torch.zeros(96))
    assert torch.equal(codec.roundtrip(x[2:3, 4:5], 3), decoded[2:3, 4:5])


def test_bounds_tile_the_channels() -> None:
    bounds = channel_bounds(4096, 6)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 4096
    assert [b for _, b in bounds[:-1]] == [a for a, _ in bounds[1:]]


def wrong_size(self: Codec, channels: int) -> int:
    return channels


def wrong_values(self: Codec, x: torch.Tensor) -> torch.Tensor:
    return x


def neighbours(self: Codec, x: torch.Tensor) -> torch.Tensor:
    return get_codec("int8").encode(x - x.mean())


@pytest.mark.parametrize(
    ("method", "body", "message"),
    [
        ("channels_bytes", wrong_size, "gives torch.uint8 .2, 52., valid: .* by channels_bytes.48. = 48"),
        ("lossy", wrong_values, r"decode\(encode\(x\)\) is not lossy\(x\)"),
        ("encode", neighbours, "beside another one|is not lossy"),
    ],
)
def test_a_codec_that_breaks_the_contract_is_not_registered(method: str, body: Any, message: str) -> None:
    broken = type("Broken", (IntegerCodec,), {method: body})
    with pytest.raises(ValueError, match=message):
        register_codec(broken("broken", 8))
    assert "broken" not in codec_names()


def test_errors_say_what_is_valid() -> None:
    with pytest.raises(ValueError, match="codec is 'fp8', valid: fp16, int4, int4-token, int8, int8-token"):
        get_codec("fp8")
    with pytest.raises(ValueError, match=r"fragments is 97, valid: 1\.\.96"):
        get_codec("int8").roundtrip(sample(), 97)
    with pytest.raises(ValueError, match="payload_bytes is 2, one channel needs 3"):
        get_codec("int8").fragments_per_token(96, 2)
    with pytest.raises(ValueError, match="registered already"):
        register_codec(get_codec("fp16"))
    assert codec_names() == NAMES
    x = sample()
    assert require_finite(x, "x") is x
    x[1, 2, 3] = torch.nan
    x[4, 0, 0] = torch.inf
    with pytest.raises(ValueError, match=r"x: 2 of 3360 values are NaN .* the first at \[1, 2, 3\]"):
        require_finite(x, "x")
