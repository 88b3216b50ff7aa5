from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from pyagent.bridge import ProtocolError, wire
from pyagent.bridge.spaces import (
    MAX_BOX_BYTES,
    MAX_DEPTH,
    MAX_DIMENSIONS,
    MAX_PARTS,
    decode_data,
    decode_space,
    encode_data,
)
from pyagent.bridge.wire import Dtype, SpaceType
from tests.fuzz.spaces import describe, random_description

DTYPES = {Dtype.INT: np.int32, Dtype.UINT: np.uint32, Dtype.FLOAT: np.float32, Dtype.DOUBLE: np.float64}


def box(low: float, high: float, dtype: int, *shape: int) -> Any:
    return describe(SpaceType.Box, wire.BoxSpace(low=low, high=high, dtype=dtype, shape=shape))


def contain(kind: SpaceType, data: Any) -> Any:
    container = wire.DataContainer(type=kind)
    wire.pack(container.data, data)
    return container


def assert_same(got: Any, value: Any) -> None:
    if isinstance(value, tuple | dict):
        assert type(got) is type(value)
        assert len(got) == len(value)
        for key in value if isinstance(value, dict) else range(len(value)):
            assert_same(got[key], value[key])
    else:
        assert got.dtype == value.dtype
        assert np.array_equal(got, value)


@pytest.mark.parametrize("seed", range(60))
def test_any_sample_survives_the_wire(seed: int) -> None:
    space = decode_space(random_description(np.random.default_rng(seed), depth=3))
    space.seed(seed)
    for _ in range(3):
        value = space.sample()
        sent = encode_data(space, value).SerializeToString()
        got = decode_data(wire.parse(wire.DataContainer, sent), space)
        assert got in space
        assert_same(got, value)


@pytest.mark.parametrize("dtype", DTYPES)
def test_box_of_every_dtype_is_reshaped(dtype: Dtype) -> None:
    space = decode_space(box(0, 9, dtype, 2, 3))
    assert space == spaces.Box(0, 9, (2, 3), DTYPES[dtype])
    field = {1: "intData", 2: "uintData", 3: "floatData", 4: "doubleData"}[dtype]
    flat = wire.BoxDataContainer(dtype=dtype, shape=[6], **{field: range(6)})  # as stock ns3-gym sends it
    got = decode_data(contain(SpaceType.Box, flat), space)
    assert got.dtype == DTYPES[dtype]
    assert got.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_bounds_mean_unbounded(dtype: Dtype) -> None:
    space = decode_space(box(0, 0, dtype, 2))
    assert isinstance(space, spaces.Box)
    if np.issubdtype(DTYPES[dtype], np.floating):
        assert np.isneginf(space.low).all()
        assert np.isposinf(space.high).all()
    else:
        limits = np.iinfo(DTYPES[dtype])
        assert set(space.low) == {limits.min}
        assert set(space.high) == {limits.max}
    assert space.sample() in space


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [(Dtype.UINT, 0, 2**32 - 1), (Dtype.INT, -(2**31), 2**31 - 1)]
)
def test_bounds_rounded_up_by_float_stay_in_range(dtype: Dtype, low: int, high: int) -> None:
    space = decode_space(box(low, high, dtype, 1))
    assert isinstance(space, spaces.Box)
    assert (space.low[0], space.high[0]) == (low, high)


def test_scalar_box_and_dict_order() -> None:
    parts = [describe(SpaceType.Discrete, wire.DiscreteSpace(n=2), name) for name in ("z", "a")]
    space = decode_space(describe(SpaceType.Dict, wire.DictSpace(element=parts)))
    assert isinstance(space, spaces.Dict)
    assert list(space.spaces) == ["z", "a"]
    assert decode_space(box(0, 1, Dtype.FLOAT)).shape == ()


def nested(depth: int) -> Any:
    description = describe(SpaceType.Discrete, wire.DiscreteSpace(n=2))
    for _ in range(depth):
        description = tuple_of([description])
    return description


def tuple_of(elements: list[Any]) -> Any:
    return describe(SpaceType.Tuple, wire.TupleSpace(element=elements))


TWO_OF_A_NAME = [describe(SpaceType.Discrete, wire.DiscreteSpace(n=2), "x")] * 2


@pytest.mark.parametrize(
    ("description", "complaint"),
    [
        (wire.SpaceDescription(), "type 0 is none of"),
        (wire.SpaceDescription(type=9), "type 9 is none of"),
        (describe(SpaceType.Box, wire.DiscreteSpace(n=3)), "expected ns3opengym.BoxSpace"),
        (describe(SpaceType.Discrete, wire.DiscreteSpace(n=0)), "needs at least 1"),
        (describe(SpaceType.Discrete, wire.DiscreteSpace(n=-4)), "needs at least 1"),
        (box(0, 1, 0, 2), "dtype 0 is none of"),
        (box(0, 1, 7, 2), "dtype 7 is none of"),
        (box(1, 0, Dtype.FLOAT, 2), "no interval"),
        (box(float("nan"), 1, Dtype.FLOAT, 2), "no interval"),
        (box(0.2, 0.8, Dtype.INT, 2), "no int32 lies in"),
        (box(-9, -3, Dtype.UINT, 2), "no uint32 lies in"),
        (box(0, 1, Dtype.FLOAT, MAX_BOX_BYTES // 4, 2), "more than"),
        (box(0, 1, Dtype.DOUBLE, MAX_BOX_BYTES // 4), "more than"),
        (box(0, 1, Dtype.FLOAT, 2**32 - 1, 2**32 - 1, 0, 2**32 - 1, 2), "more than"),
        (box(0, 1, Dtype.FLOAT, *[1] * (MAX_DIMENSIONS + 1)), "Box of 33 dimensions"),
        (
            tuple_of([box(0, 1, Dtype.FLOAT, MAX_BOX_BYTES // 8)] * 2 + [box(0, 1, Dtype.FLOAT, 1)]),
            "in all",
        ),
        (tuple_of([tuple_of([])] * MAX_PARTS), "more than 10000 spaces"),
        (describe(SpaceType.Dict, wire.DictSpace(element=TWO_OF_A_NAME)), "appear more than once"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
    ],
)
def test_bad_space_is_refused(description: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode_space(description)


def floats(*values: float) -> Any:
    return contain(SpaceType.Box, wire.BoxDataContainer(dtype=Dtype.FLOAT, floatData=values))


INT_BOX = spaces.Box(-9, 9, (2,), np.int32)
FLOAT_BOX = spaces.Box(-9, 9, (2,), np.float32)
TUPLE = spaces.Tuple([FLOAT_BOX])
DICT = spaces.Dict({"x": FLOAT_BOX})
BIG = wire.BoxDataContainer(dtype=Dtype.UINT, uintData=[1, 2**31])


@pytest.mark.parametrize(
    ("container", "space", "complaint"),
    [
        (wire.DataContainer(), FLOAT_BOX, "type 0 is none of"),
        (contain(SpaceType.Discrete, wire.DiscreteDataContainer(data=1)), FLOAT_BOX, "expected Box data"),
        (floats(1, 2), spaces.Discrete(3), "expected Discrete data"),
        (floats(1, 2), TUPLE, "expected Tuple data"),
        (floats(1, 2), DICT, "expected Dict data"),
        (floats(1), FLOAT_BOX, "1 values of float32"),
        (floats(1, 2, 3), FLOAT_BOX, "3 values of float32"),
        (floats(1, 2), INT_BOX, "float32 values for a Box of int32"),
        (contain(SpaceType.Box, wire.BoxDataContainer(dtype=8)), FLOAT_BOX, "dtype 8"),
        (contain(SpaceType.Box, BIG), INT_BOX, "out of the range of int32"),
        (contain(SpaceType.Tuple, wire.TupleDataContainer()), TUPLE, "0 elements"),
        (contain(SpaceType.Dict, wire.DictDataContainer()), DICT, "keys"),
        (contain(SpaceType.Dict, wire.DictDataContainer(element=[floats(1, 2)] * 2)), DICT, "more than once"),
    ],
)
def test_bad_data_are_refused(container: Any, space: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        decode_data(container, space)


def test_harmless_dtype_differences_are_converted() -> None:
    doubles = contain(SpaceType.Box, wire.BoxDataContainer(dtype=Dtype.DOUBLE, doubleData=[0.1, 2]))
    assert decode_data(doubles, FLOAT_BOX).tolist() == [np.float32(0.1), 2]
    unsigned = contain(SpaceType.Box, wire.BoxDataContainer(dtype=Dtype.UINT, uintData=[1, 2]))
    got = decode_data(unsigned, INT_BOX)
    assert got.dtype == np.int32


@pytest.mark.parametrize(
    ("space", "action"),
    [
        (spaces.Discrete(3), 3),
        (spaces.Discrete(3), -1),
        (spaces.Discrete(3), 1.0),
        (spaces.Discrete(3), [0, 1]),
        (INT_BOX, [1]),
        (INT_BOX, [1, 10]),
        (INT_BOX, [1, 2**32]),
        (INT_BOX, [1.5, 0]),
        (FLOAT_BOX, [1, np.nan]),
        (FLOAT_BOX, [1, 9.1]),
        (FLOAT_BOX, ["a", "b"]),
        (TUPLE, [[1, 2], [3, 4]]),
        (DICT, {"y": [1, 2]}),
        (DICT, [1, 2]),
    ],
)
def test_action_outside_the_space_is_refused(space: Any, action: Any) -> None:
    with pytest.raises(ValueError):
        encode_data(space, action)


def test_action_that_rounds_onto_the_bound_is_taken() -> None:
    space = spaces.Box(np.float32(0), np.float32(0.1), (1,), np.float32)
    assert encode_data(space, [0.1]).type == SpaceType.Box


@pytest.mark.parametrize("action", [2, np.int64(2), np.array(2), np.array([2])])
def test_discrete_action_in_every_dress(action: Any) -> None:
    container = encode_data(spaces.Discrete(3), action)
    assert wire.unpack(container.data, wire.DiscreteDataContainer).data == 2


def test_a_tuple_in_the_place_of_a_dict_is_taken_in_order() -> None:
    """ns3-gym's multi-agent example announces a Dict and sends a Tuple."""
    space = spaces.Dict([("b", spaces.Discrete(9)), ("a", spaces.Box(0, 9, (2,), np.uint32))])
    value = {"b": np.int64(3), "a": np.array([4, 5], np.uint32)}
    sent = encode_data(spaces.Tuple(list(space.spaces.values())), tuple(value.values()))
    got = decode_data(sent, space)
    assert list(got) == ["b", "a"]
    assert got["b"] == 3
    assert got["a"].tolist() == [4, 5]
    swapped = encode_data(spaces.Tuple(list(space.spaces.values())[::-1]), tuple(value.values())[::-1])
    with pytest.raises(ProtocolError, match=r"observation\[0\]: expected Discrete data, got Box"):
        decode_data(swapped, space)
