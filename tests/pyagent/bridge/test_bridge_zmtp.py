"""ZMTP, byte by byte. The expected bytes are those of ZeroMQ's RFC 23/ZMTP, and of a real REQ socket."""

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from pyagent.bridge.errors import LinkLost, ProtocolError
from pyagent.bridge.link import AgentSocket
from pyagent.bridge.patience import Patience
from pyagent.bridge.zmtp import MAX_MESSAGE_BYTES, MAX_STRANGER_BYTES, ReqPeer
from tests.fuzz.mutate import damaged

STREAMS = 2500

# Signature, version 3.1, mechanism NULL, as-server 0, filler; then READY, as libzmq's REQ sends them.
GREETING = b"\xff\0\0\0\0\0\0\0\0\x7f\3\1" + b"NULL".ljust(20, b"\0") + bytes(32)
READY = b"\4\x26\5READY\x0bSocket-Type\0\0\0\3REQ\x08Identity\0\0\0\0"
HELLO = GREETING + READY
REQUEST = b"\1\0\0\5hello"


@pytest.fixture
def pair() -> Iterator[tuple[ReqPeer, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    peer = ReqPeer(ours)
    yield peer, theirs
    peer.close()
    theirs.close()


def test_both_sides_of_the_handshake_and_a_round_trip(pair: tuple[ReqPeer, socket.socket]) -> None:
    peer, theirs = pair
    peer.greet()
    ours = b"\xff" + bytes(8) + b"\x7f\3\0" + b"NULL".ljust(20, b"\0") + bytes(32)
    assert theirs.recv(200) == ours + b"\4\x19\5READY\x0bSocket-Type\0\0\0\3REP"
    theirs.sendall(HELLO + REQUEST)
    assert peer.receive() == b"hello"
    peer.reply(b"yes", 1)
    assert theirs.recv(200) == b"\1\0\0\3yes"
    peer.reply(bytes(300), 1)
    assert theirs.recv(400) == b"\1\0\2\0\0\0\0\0\0\1\x2c" + bytes(300)


def test_any_division_into_pieces(pair: tuple[ReqPeer, socket.socket]) -> None:
    """Three requests, the second with an eight-byte length, the third short but written as a long one."""
    peer, theirs = pair
    stream = HELLO + REQUEST + b"\1\0\2\0\0\0\0\0\0\1\x2c" + b"a" * 300 + b"\1\0\2\0\0\0\0\0\0\0\1b"
    rng, got = random.Random(3), []
    while stream:
        size = rng.randint(1, 20)
        theirs.sendall(stream[:size])
        stream = stream[size:]
        while (request := peer.receive(socket.MSG_DONTWAIT)) is not None or not peer.drained:
            got += [] if request is None else [request]
    assert got == [b"hello", b"a" * 300, b"b"]


def test_ping_is_answered(pair: tuple[ReqPeer, socket.socket]) -> None:
    """A heartbeat (ZMQ_HEARTBEAT_IVL): RFC 37 has PING carry a time to live and a context to return."""
    peer, theirs = pair
    theirs.sendall(HELLO + b"\4\x09\4PING\0\x0aab")
    assert peer.receive() is None
    assert theirs.recv(200) == b"\4\7\4PONGab"


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"GET / HTTP/1.1\r\n".ljust(64), "greets so"),
        (GREETING.replace(b"\x7f\3", b"\x7f\1"), "greets so"),
        (GREETING.replace(b"NULL\0", b"PLAIN"), "greets so"),
        (GREETING + REQUEST, "before ZeroMQ's handshake"),
        (GREETING + READY.replace(b"REQ", b"SUB"), "no REQ"),
        (GREETING + b"\4\7\5ERROR\0", "handshake failed"),
        (HELLO + READY, "unexpected command"),
        (HELLO + b"\4\0", "unexpected command"),
        (HELLO + b"\0\5hello", "no REQ socket's"),
        (HELLO + b"\1\1x\0\1x", "no REQ socket's"),
        (HELLO + b"\1\0\1\1x\0\1x", "no REQ socket's"),
        (HELLO + b"\x09\0", "unknown flags 0x9"),
        (HELLO + b"\1\0\2\0\0\0\0\4\0\0\1", "67108865 bytes; those above 4 MiB"),
    ],
)
def test_what_no_req_sends(pair: tuple[ReqPeer, socket.socket], sent: bytes, complaint: str) -> None:
    peer, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(ProtocolError, match=complaint):
        peer.receive()


def test_only_a_trusted_peer_may_send_much(pair: tuple[ReqPeer, socket.socket]) -> None:
    peer, theirs = pair
    theirs.sendall(HELLO + REQUEST)
    assert peer.receive() == b"hello"
    peer.limit_bytes = MAX_MESSAGE_BYTES
    theirs.sendall(b"\1\0\2\0\0\0\0\4\0\0\0")  # 64 MiB are to come
    assert peer.receive() is None
    peer.limit_bytes = MAX_STRANGER_BYTES
    with pytest.raises(ProtocolError, match="67108864 bytes; those above 4 MiB are refused"):
        peer.receive(socket.MSG_DONTWAIT)


def test_a_reply_that_nobody_takes(pair: tuple[ReqPeer, socket.socket]) -> None:
    """32 MiB fit into no socket's buffer."""
    peer, theirs = pair
    theirs.sendall(HELLO + REQUEST)
    assert peer.receive() == b"hello"
    with pytest.raises(TimeoutError):
        peer.reply(bytes(2**25), 0.1)
    theirs.close()
    with pytest.raises(LinkLost):
        peer.reply(b"yes", 1)


def test_mutated_streams() -> None:
    """A request, nothing, a lost link or a ProtocolError; never anything else, never a wait."""
    rng, refused = random.Random(5), 0
    for _ in range(STREAMS):
        ours, theirs = socket.socketpair()
        peer = ReqPeer(ours)
        theirs.sendall(damaged(HELLO + REQUEST, rng))
        theirs.close()
        try:
            for _ in range(3):
                assert isinstance(peer.receive(), bytes | None)
        except (ProtocolError, LinkLost) as error:
            refused += isinstance(error, ProtocolError)
        peer.close()
    assert STREAMS / 10 < refused < STREAMS


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_messages_of_every_length_from_libzmq(tmp_path: Path, transport: str) -> None:
    """Around the lengths at which a frame or a read takes another form, and back."""
    agent = AgentSocket(f"ipc://{tmp_path}/0" if transport == "ipc" else "tcp://127.0.0.1:*")
    with zmq.Context() as context, context.socket(zmq.REQ) as simulator:
        simulator.connect(agent.endpoint)
        for size in (0, 1, 248, 249, 255, 256, 8192, 2**18 - 11, 2**18, 5 * 2**20):
            simulator.send(bytes([size % 251]) * size)
            payload = agent.receive(Patience(20))
            assert payload == bytes([size % 251]) * size
            agent.send(payload, 20)
            assert simulator.recv() == payload
    with pytest.raises(LinkLost):
        agent.receive(Patience(20))
    agent.close()


def test_silent_and_nonsensical_connections_keep_nobody_out() -> None:
    agent = AgentSocket("tcp://127.0.0.1:*")
    silent, nonsense = (socket.create_connection(("127.0.0.1", agent.port)) for _ in range(2))
    nonsense.sendall(bytes(100))
    with zmq.Context() as context, context.socket(zmq.REQ) as simulator:
        simulator.connect(agent.endpoint)
        simulator.send(b"here")
        assert agent.receive(Patience(20)) == b"here"
    silent.close()
    nonsense.close()
    agent.close()
