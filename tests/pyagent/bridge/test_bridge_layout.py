"""The quick way to read an observation against the general one of ``codec``."""

import random
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from test_bridge_examples import assert_equal
from test_bridge_mutations import FRAMES, a_space, mutated

from pyagent.bridge import ProtocolError, layout, wire
from pyagent.bridge.codec import decode_data, encode_data
from pyagent.bridge.layout import Layout, observation_decoder

SPACE = spaces.Dict(
    {
        "choice": spaces.Discrete(9),
        "counts": spaces.Box(0, 300, (3,), np.uint32),
        "pair": spaces.Tuple(
            [spaces.Box(-9, 9, (2, 2), np.float32), spaces.Box(-9, 9, (), np.float64)],
        ),
    }
)


def observation(choice: int, counts: list[int], real: float) -> dict[str, Any]:
    pair = (np.full((2, 2), real, np.float32), np.array(-real, np.float64))
    return {"choice": np.int64(choice), "counts": np.array(counts, np.uint32), "pair": pair}


def written(value: Any, space: spaces.Space[Any] = SPACE) -> bytes:
    return encode_data(space, value).SerializeToString()


def test_numbers_are_read_from_their_places() -> None:
    seen = Layout(SPACE, written(observation(1, [1, 2, 3], 0.5)))
    other = observation(8, [127, 0, 9], -3.25)
    value = seen.read(written(other))
    assert_equal(value, other)
    value["counts"][0] = 5  # the agent's own, to be written to
    assert value["pair"][0].flags.owndata or value["pair"][0].base.flags.owndata


def test_another_layout_of_the_same_length_is_not_read() -> None:
    """128 takes two bytes, so three numbers in four bytes are laid out in another way than four in four."""
    space = spaces.Box(0, 300, (4,), np.uint32)
    seen = Layout(space, written(np.array([1, 2, 3, 4], np.uint32), space))
    data = written(np.array([1, 2, 3, 4], np.uint32), space)
    assert seen.read(data[:-1] + b"\x80") is None
    assert seen.read(data[:5] + b"x" + data[6:]) is None


def test_decoder_finds_layouts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = observation_decoder(SPACE)
    values = [observation(c, n, 1.5) for c, n in [(1, [1, 2, 3]), (0, [1, 2, 3]), (2, [300, 1, 1])]]
    general = [written(value) for value in values]
    for data, value in zip(general, values, strict=True):
        assert_equal(decode(data), value)
    monkeypatch.setattr(wire, "parse", lambda *_: pytest.fail("the general decoder was called"))
    for data, value in zip(general[:2], values[:2], strict=True):
        assert_equal(decode(data), value)


def test_layouts_are_not_looked_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(layout, "Layout", lambda space, data: tried.append(data) or Layout(space, data))
    decode = observation_decoder(SPACE)
    for _ in range(50):
        decode(written(observation(2, [300, 1, 1], 1.5)))
    assert len(tried) == layout._TRIES


def test_mutated_observations_are_read_or_refused_as_by_the_general_decoder() -> None:
    """Decoders that have learnt a layout, and spaces at random; 10,000 frames."""
    rng, quick = random.Random(7), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(FRAMES):
            if number % 100 == 0:
                _, space = a_space(number)
                value = space.sample()
                data = encode_data(space, value).SerializeToString()
                decode = observation_decoder(space)
                assert_equal(decode(data), decode(data))
            frame = mutated(data, rng)
            try:
                expected = decode_data(wire.parse(wire.DataContainer, frame), space)
            except ProtocolError:
                with pytest.raises(ProtocolError):
                    decode(frame)
            else:
                assert repr(decode(frame)) == repr(expected)
                quick += len(frame) == len(data) and frame != data
    assert quick > 20  # numbers that changed and nothing else
