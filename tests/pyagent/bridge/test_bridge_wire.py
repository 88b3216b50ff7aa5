import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from pyagent.bridge import ProtocolError, wire

ACTION_3 = (
    "0a3e0801123a0a34747970652e676f6f676c65617069732e636f6d2f6e73336f70656e67796d2e"
    "446973637265746544617461436f6e7461696e657212020803"
)
PROTO = Path(__file__).parents[3] / "ns3_scenarios/gym/model/messages.proto"


def test_golden_stop() -> None:
    assert wire.EnvActMsg(stopSimReq=True).SerializeToString().hex() == "1001"


def test_golden_init_ack() -> None:
    assert wire.SimInitAck(done=True).SerializeToString().hex() == "0801"


def test_golden_discrete_action() -> None:
    message = wire.EnvActMsg()
    message.actData.type = wire.SpaceType.Discrete
    wire.pack(message.actData.data, wire.DiscreteDataContainer(data=3))
    assert message.SerializeToString().hex() == ACTION_3


def test_golden_discrete_action_is_read() -> None:
    message = wire.parse(wire.EnvActMsg, bytes.fromhex(ACTION_3))
    assert wire.unpack(message.actData.data, wire.DiscreteDataContainer).data == 3


def test_any_of_another_type_is_refused() -> None:
    message = wire.parse(wire.EnvActMsg, bytes.fromhex(ACTION_3))
    with pytest.raises(ProtocolError, match=r"expected ns3opengym\.BoxDataContainer"):
        wire.unpack(message.actData.data, wire.BoxDataContainer)


@pytest.mark.parametrize("payload", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x2a\x02\xff\xfe"])
def test_garbage_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError, match="no EnvStateMsg"):
        wire.parse(wire.EnvStateMsg, payload)


def test_another_registration_of_the_package_does_not_collide() -> None:
    """A user's own messages_pb2 registers the same names in the default pool, before or after ours."""
    program = (
        "from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory\n"
        "file = descriptor_pb2.FileDescriptorProto(name='messages.proto', package='ns3opengym')\n"
        "file.message_type.add(name='SimInitMsg')\n"
        "descriptor_pool.Default().AddSerializedFile(file.SerializeToString())\n"
        "from pyagent.bridge import wire\n"
        "assert wire.SimInitMsg(simProcessId=1).simProcessId == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def _facts(file: descriptor_pb2.FileDescriptorProto) -> dict[str, object]:
    """Name, number, type and label of each field; enum values. Declared order and nesting aside."""
    facts: dict[str, object] = {}
    for message in file.message_type:
        for field in message.field:
            type_name = field.type_name.rpartition(".")[2]
            facts[f"{message.name}.{field.name}"] = (field.number, field.type, field.label, type_name)
    enums = [*file.enum_type, *(enum for message in file.message_type for enum in message.enum_type)]
    facts.update({enum.name: {v.name: v.number for v in enum.value} for enum in enums})
    facts.pop("MsgType", None)  # unused on the wire
    return facts


@pytest.mark.skipif(shutil.which("protoc") is None, reason="no protoc")
@pytest.mark.skipif(not PROTO.exists(), reason="no messages.proto")
def test_table_equals_the_proto_file(tmp_path: Path) -> None:
    out = tmp_path / "set"
    subprocess.run(
        ["protoc", f"-I{PROTO.parent}", f"--descriptor_set_out={out}", PROTO.name], check=True, timeout=60
    )
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    assert _facts(wire.file_descriptor()) == _facts(files[0])
    assert files[0].package == wire.PACKAGE
