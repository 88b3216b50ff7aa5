"""A simulator for the bridge's tests: speaks the wire from hand-written bytes, nothing of pyagent in it.

Observation: Box FLOAT of shape (2, 3), sent flat: [step, seed, *action, 0.5, 0.5]. Action: Box INT of
shape (2,) in [-5, 5]. ``--mode`` says how it misbehaves, ``--at`` at which state.
"""

import argparse
import os
import signal
import struct
import sys

import zmq

BOX, FLOAT, INT = 2, 3, 1


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def blob(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def typed(kind: int, name: bytes, value: bytes) -> bytes:
    """SpaceDescription and DataContainer alike: type, Any."""
    return number(1, kind) + blob(2, blob(1, b"type.googleapis.com/ns3opengym." + name) + blob(2, value))


def box_space(low: float, high: float, dtype: int, *shape: int) -> bytes:
    sizes = blob(4, b"".join(map(varint, shape)))
    return typed(BOX, b"BoxSpace", single(1, low) + single(2, high) + number(3, dtype) + sizes)


def box_data(values: list[float], dtype: int = FLOAT) -> bytes:
    data = (
        blob(5, struct.pack(f"<{len(values)}f", *values)) if dtype == FLOAT else blob(3, bytes(len(values)))
    )
    return typed(BOX, b"BoxDataContainer", number(1, dtype) + blob(2, varint(len(values))) + data)


def fields(data: bytes) -> dict[int, int | bytes]:
    """The last value of each field of a message that has varints and length-delimited fields only."""
    found: dict[int, int | bytes] = {}
    position = 0

    def read() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value, shift = value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while position < len(data):
        key = read()
        value = read()
        if key & 7 == 2:
            found[key >> 3], position = data[position : position + value], position + value
        else:
            found[key >> 3] = value
    return found


def read_action(message: bytes) -> list[int]:
    box = fields(fields(fields(fields(message)[1])[2])[2])  # EnvActMsg.actData.data.value
    assert box[1] == INT, box
    assert box[2] == b"\x02", box
    numbers, value, shift = [], 0, 0
    for byte in box[3]:
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            numbers.append(value - (1 << 64) if value >> 63 else value)
            value = shift = 0
    return numbers


class Simulator:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.socket = zmq.Context().socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.connect(options.openGymEndpoint or f"tcp://127.0.0.1:{options.openGymPort}")

    def ask(self, message: bytes) -> bytes:
        self.socket.send(message)
        return self.socket.recv()

    def finish(self) -> None:
        if self.options.mode == "ignores-stop":
            signal.pause()
        print("stopped in good order", flush=True)
        self.socket.close()
        sys.exit(0)

    def introduce(self) -> None:
        pid = self.options.pid or os.getpid()
        observation = blob(3, box_space(-1e9, 1e9, FLOAT, 2, 3 if self.options.mode != "odd-space" else 4))
        if self.options.mode == "bad-space":
            observation = blob(3, number(1, 9))
        action = blob(4, box_space(-5, 5, INT, 2))
        if fields(self.ask(number(1, pid) + number(2, 0) + observation + action)).get(2):
            self.finish()

    def run(self) -> None:
        options, action = self.options, [0, 0]
        self.introduce()
        for step in range(options.steps + 1):
            if step == options.at:
                self.misbehave()
            observation = box_data([step, options.simSeed % 2**20, *action, 0.5, 0.5])
            state = blob(1, observation) + single(2, float(sum(action))) + blob(5, options.info.encode())
            last = step == options.steps
            if last and options.mode == "bare-end":
                state = b""
            if last and options.mode == "empty-end":
                state = blob(1, box_data([]))
            if last:
                state += number(3, 1) + number(4, 1 if options.end == "gameover" else 0)
            reply = self.ask(state)
            if last or fields(reply).get(2):
                self.finish()
            action = read_action(reply)

    def misbehave(self) -> None:
        mode = self.options.mode
        if mode == "crash":
            print("\n".join(f"line {i}" for i in range(100)), file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        elif mode == "silent":
            signal.pause()
        elif mode == "garbage":
            self.ask(b"\xff\xff\xff\xff no protobuf")
        elif mode == "wrong-dtype":
            self.ask(blob(1, typed(BOX, b"BoxDataContainer", number(1, 9))))
        elif mode == "wrong-size":
            self.ask(blob(1, box_data([1.0])))
        elif mode == "oversized":
            self.ask(bytes(65 * 1024 * 1024))
        elif mode == "flood":
            sys.stderr.write("".join(f"{'x' * 99}{i}\n" for i in range(10_000)))
            sys.stderr.flush()
        elif mode in ("exit", "exit-0"):
            sys.exit(7 if mode == "exit" else 0)
        elif mode == "hang-up":
            self.socket.close(linger=0)
            signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--openGymPort", type=int)
    parser.add_argument("--openGymEndpoint")
    seed = parser.add_mutually_exclusive_group()
    seed.add_argument("--simSeed", type=int, default=0)
    seed.add_argument("--RngRun", type=int, dest="simSeed")
    parser.add_argument("--mode", default="normal")
    parser.add_argument("--at", type=int, default=1)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--end", choices=["gameover", "simend"], default="simend")
    parser.add_argument("--info", default="")
    parser.add_argument("--pid", type=int, help="process id to claim")
    options = parser.parse_args()
    if options.mode == "exits-early":
        print("assert failed: no such topology", file=sys.stderr)
        sys.exit(3)
    if options.mode == "killed-early":
        os.kill(os.getpid(), signal.SIGKILL)
    if options.mode == "deaf":  # to everything but SIGKILL
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.mode in ("never-connects", "deaf"):
        while True:
            signal.pause()
    Simulator(options).run()


if __name__ == "__main__":
    main()
