from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from pyagent.bridge.batch import batcher, unbatcher

BOX = spaces.Box(-1, 1, (2, 3), np.float32)
SPACES = [
    spaces.Discrete(5),
    BOX,
    spaces.Box(0, 9, (), np.int32),
    spaces.Tuple([spaces.Discrete(3), BOX]),
    spaces.Dict({"b": BOX, "a": spaces.Dict({"x": spaces.Tuple([spaces.Discrete(2)])})}),
    spaces.Tuple([]),
    spaces.Dict({}),
]


def assert_same(got: Any, expected: Any) -> None:
    assert type(got) is type(expected)
    if isinstance(got, dict):
        assert list(got) == list(expected)
        got, expected = tuple(got.values()), tuple(expected.values())
    if isinstance(got, tuple):
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
    else:
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_same_as_gymnasium(space: Any) -> None:
    space.seed(3)
    values = [space.sample() for _ in range(4)]
    batch = batcher(space)(values)
    assert_same(batch, concatenate(space, values, create_empty_array(space, 4)))
    assert batch in batch_space(space, 4)
    parts = unbatcher(space, 4)(batch)
    assert len(parts) == 4
    if space in SPACES[:5]:
        expected = list(iterate(batch_space(space, 4), batch))
        assert str(batcher(space)(parts)) == str(batcher(space)(expected))


def test_unequal_numbers() -> None:
    with pytest.raises(ValueError, match="2 for 3"):
        unbatcher(BOX, 3)(np.zeros((2, 2, 3)))
