"""The quick way to read a state against the general one of ``codec``."""

import random
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from test_bridge_examples import assert_equal

from pyagent.bridge import ProtocolError, layout, wire
from pyagent.bridge.codec import decode_data, encode_data
from pyagent.bridge.layout import Layout, Layouts, NoLayoutError
from pyagent.bridge.spaces import decode_space
from tests.fuzz.mutate import damaged
from tests.fuzz.spaces import random_description

FRAMES = 10_000

SPACE = spaces.Dict(
    {
        "choice": spaces.Discrete(9),
        "counts": spaces.Box(0, 300, (3,), np.uint32),
        "pair": spaces.Tuple([spaces.Box(-9, 9, (2, 2), np.float32), spaces.Box(-9, 9, (), np.float64)]),
    }
)


def observation(choice: int, counts: list[int], real: float) -> dict[str, Any]:
    pair = (np.full((2, 2), real, np.float32), np.array(-real, np.float64))
    return {"choice": np.int64(choice), "counts": np.array(counts, np.uint32), "pair": pair}


def written(value: Any, space: spaces.Space[Any] = SPACE, **fields: Any) -> bytes:
    return wire.EnvStateMsg(obsData=encode_data(space, value), **fields).SerializeToString()


def test_numbers_are_read_from_their_places() -> None:
    first = written(observation(1, [1, 2, 3], 0.5), reward=-1.5, info="text", simTimeS=[0.25])
    other = observation(8, [127, 0, 9], -3.25)
    seen = Layout(SPACE, first, {"extra": "text"})
    found = seen.read(written(other, reward=7, info="text", simTimeS=[1e9]))
    assert found is not None
    assert_equal(found[0], other)
    assert found[1:] == (7.0, {"extra": "text", "sim_time_s": 1e9})
    for array in (found[0]["counts"], *found[0]["pair"]):
        array[...] = 5  # the agent's own, to be written to


def test_a_state_without_reward_and_time() -> None:
    """protobuf sends no zero."""
    found = Layout(SPACE, written(observation(1, [1, 2, 3], 0.5)), {}).read(
        written(observation(2, [3, 2, 1], 1.5))
    )
    assert found is not None
    assert found[1:] == (0.0, {})


def test_another_layout_of_the_same_length_is_not_read() -> None:
    """128 takes two bytes; another text, the end of an episode, another type are not numbers at all."""
    space = spaces.Box(0, 300, (4,), np.uint32)
    value = np.array([1, 2, 3, 4], np.uint32)
    state = written(value, space, reward=1, info="text")
    seen = Layout(space, state, {"extra": "text"})
    assert seen.read(state) is not None
    assert seen.read(state.replace(b"\1\2\3\4", b"\1\2\x83\4")) is None
    assert seen.read(state.replace(b"text", b"TEXT")) is None
    assert seen.read(state.replace(b"BoxData", b"boxdata")) is None
    over = written(value, space, isGameOver=True, reason=1, info="xx", reward=1)
    assert len(over) == len(state) + 2
    assert Layout(space, over, {}).read(written(value, space, info="xxxxxx", reward=1)) is None


@pytest.mark.parametrize(
    "state",
    [
        written(observation(1, [1, 2, 300], 0.5)),
        written(observation(1, [1, 2, 3], 0.5), simTimeS=[1, 2]),
        wire.EnvStateMsg().SerializeToString(),
    ],
)
def test_what_has_no_layout(state: bytes) -> None:
    with pytest.raises(NoLayoutError):
        Layout(SPACE, state, {})


def test_a_few_layouts_and_no_search_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(layout, "Layout", lambda *args: tried.append(args) or Layout(*args))
    layouts = Layouts(SPACE)
    plain, zero = (written(observation(choice, [1, 2, 3], 1.5)) for choice in (1, 0))
    assert layouts.read(plain) is None
    layouts.learn(plain, {})
    layouts.learn(zero, {})  # shorter
    assert layouts.read(plain) is not None
    assert layouts.read(zero) is not None
    for _ in range(50):
        layouts.learn(written(observation(2, [300, 1, 1], 1.5)), {})
    assert len(tried) == layout._TRIES
    assert layouts.read(plain) is not None


def general(state: bytes, space: spaces.Space[Any]) -> Any:
    message = wire.parse(wire.EnvStateMsg, state)
    times = {"sim_time_s": message.simTimeS[0]} if message.simTimeS else {}
    ended = (message.isGameOver, message.reason, message.info)
    return decode_data(message.obsData, space), message.reward, times, ended


def test_what_is_read_of_mutated_states_is_what_the_general_decoder_reads() -> None:
    """Spaces at random, 10,000 frames."""
    rng, read = random.Random(7), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(FRAMES):
            if number % 100 == 0:
                space = decode_space(random_description(np.random.default_rng(number), depth=3))
                state = written(space.sample(), space, reward=1.5, simTimeS=[2.5])
                layouts = Layouts(space)
                layouts.learn(state, {})
            frame = damaged(state, rng)
            found = layouts.read(frame)
            if found is not None:
                assert repr((*found, (False, 0, ""))) == repr(general(frame, space))
                read += frame != state
            else:
                try:
                    general(frame, space)
                except ProtocolError:
                    continue
    assert read > 20  # numbers that changed and nothing else
