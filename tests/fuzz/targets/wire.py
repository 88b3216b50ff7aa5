"""What the agent receives from ns-3."""

from __future__ import annotations

import contextlib
import json
import random
import socket
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces

from pyagent.bridge import ProtocolError, wire
from pyagent.bridge.codec import decoder, encode_data, neutral_value
from pyagent.bridge.env import parse_info
from pyagent.bridge.errors import LinkLost
from pyagent.bridge.spaces import decode_space
from pyagent.bridge.zmtp import ReqPeer
from pyagent.envs.observation import FEATURES
from pyagent.envs.simulator import read_record, read_state
from tests.fuzz.mutate import damaged
from tests.fuzz.samples import delivery
from tests.fuzz.spaces import random_description
from tests.fuzz.structured import damaged_json, damaged_message
from tests.fuzz.target import Target

_SPACES = 12


def _descriptions() -> list[Any]:
    return [random_description(np.random.default_rng(seed), depth=3) for seed in range(_SPACES)]


def assert_fits(value: Any, space: spaces.Space[Any]) -> None:
    """A value has its space's types and shapes; bounds are not looked at, as documented."""
    if isinstance(space, spaces.Dict):
        assert list(value) == list(space.spaces)
        for key, part in space.spaces.items():
            assert_fits(value[key], part)
    elif isinstance(space, spaces.Tuple):
        assert len(value) == len(space.spaces)
        for element, part in zip(value, space.spaces, strict=True):
            assert_fits(element, part)
    else:
        assert (value.dtype, value.shape) == (space.dtype, space.shape)


class WireInit(Target):
    """The greeting: what the spaces are."""

    name = "wire-init"
    refusals = (ProtocolError,)

    def seeds(self) -> Sequence[bytes]:
        return [
            wire.SimInitMsg(simProcessId=7, obsSpace=each, actSpace=each).SerializeToString()
            for each in _descriptions()
        ]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_message(data, rng)

    def read(self, data: bytes) -> None:
        message = wire.parse(wire.SimInitMsg, data)
        for description in (message.obsSpace, message.actSpace):
            space = decode_space(description)
            encode_data(space, neutral_value(space))


class WireState(Target):
    """A state, for one of some spaces; which, the input's first byte says."""

    name = "wire-state"
    refusals = (ProtocolError,)

    @cached_property
    def _readers(self) -> list[tuple[spaces.Space[Any], Any]]:
        found = [decode_space(each) for each in _descriptions()]
        return [(space, decoder(space)) for space in found]

    def seeds(self) -> Sequence[bytes]:
        return [
            bytes([number])
            + wire.EnvStateMsg(
                obsData=encode_data(space, neutral_value(space)), reward=1, info='{"a": 1}', simTimeS=[2.5]
            ).SerializeToString()
            for number, (space, _) in enumerate(self._readers)
        ]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        which = rng.randbytes(1) if rng.randrange(10) == 0 else data[:1]
        return which + damaged_message(data[1:], rng)

    def read(self, data: bytes) -> None:
        space, decode = self._readers[data[0] % _SPACES if data else 0]
        message = wire.parse(wire.EnvStateMsg, data[1:])
        assert isinstance(parse_info(message.info), dict)
        assert_fits(decode(message.obsData), space)


class WireZmtp(Target):
    """The bytes of a connection, cut into two pieces."""

    name = "wire-zmtp"
    refusals = (ProtocolError,)

    def seeds(self) -> Sequence[bytes]:
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
        ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
        ping = b"\x04\x09\x04PING\x00\x00ab"
        short, long = b"\x01\x00\x00\x03ask", b"\x01\x00\x02" + (300).to_bytes(8, "big") + bytes(300)
        return [greeting + ready + tail for tail in (short, long, ping + short + short, short * 4, b"")]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        # The greeting is 64 of some 100 bytes: mostly what comes after it is damaged.
        kept = 64 if rng.randrange(4) else 0
        return data[:kept] + damaged(data[kept:], rng)

    def read(self, data: bytes) -> None:
        ours, theirs = socket.socketpair()
        peer = ReqPeer(ours)
        try:
            peer.greet()
            for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
                theirs.sendall(piece)
                self._hear(peer)
            theirs.shutdown(socket.SHUT_WR)
            with contextlib.suppress(LinkLost):
                while True:
                    self._hear(peer)
        finally:
            peer.close()
            theirs.close()

    def _hear(self, peer: ReqPeer) -> None:
        request = peer.receive(socket.MSG_DONTWAIT)
        if request is not None:
            peer.reply(request[:8], 1)


class WireInfo(Target):
    """What a state says beside the observation: the delivery record, and where the UE is."""

    name = "wire-info"
    refusals = (ProtocolError,)

    def seeds(self) -> Sequence[bytes]:
        rng = np.random.default_rng(3)
        more = {"position_m": [1, 2.5, 0], "request": 4, "sim_time_s": 9.25}
        return [json.dumps({"record": delivery(rng, i).to_json(), **more}).encode() for i in range(3)]

    def mutate(self, data: bytes, rng: random.Random) -> bytes:
        return damaged_json(data, rng)

    def read(self, data: bytes) -> None:
        info = parse_info(data.decode(errors="replace"))
        raw = np.array([feature.low for feature in FEATURES])
        state = read_state(raw, info, num_layers=32)
        assert len(state.position_m) == 3
        record = read_record(info)
        assert 0 <= record.loss <= 1
        assert 0 <= record.prompt_loss <= 1
        assert 0 <= record.output_loss <= 1
        assert record.mask().delivered.shape == record.outcome.shape
        assert (record.ttft_s, record.tpot_s, record.mean_delay_s, record.ue_energy_j) is not None
