"""The protobuf messages of ns3-gym's wire, declared as a table instead of generated code.

Generated modules are bound to the protobuf release that wrote them, and two of them that declare the
same names cannot live in one process. The table below is turned into message classes at import, inside a
private descriptor pool: any protobuf runtime from 4.21 on will do, and a user's own ``messages_pb2`` of
ns3-gym does not get in the way.

Field names and numbers are ns3-gym's (package ``ns3opengym``); everything travels as one raw proto3
message per ZeroMQ frame, without a type tag.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from pyagent.bridge.errors import ProtocolError

PACKAGE = "ns3opengym"
TYPE_URL_PREFIX = f"type.googleapis.com/{PACKAGE}."


class SpaceType(enum.IntEnum):
    """Kind of a space, and of the data that belongs to it."""

    NoSpaceType = 0
    Discrete = 1
    Box = 2
    Tuple = 3
    Dict = 4


class Dtype(enum.IntEnum):
    """Element type of a Box; the integers are 32 bits wide on the wire."""

    NoDType = 0
    INT = 1
    UINT = 2
    FLOAT = 3
    DOUBLE = 4


class Reason(enum.IntEnum):
    """Why the last state of an episode is the last."""

    SimulationEnd = 0
    GameOver = 1


# message -> its fields in the order of their numbers, which start at 1 where none is given; "[]" marks a
# repeated field
_MESSAGES = {
    "SpaceDescription": "SpaceType type, Any space, string name",
    "DiscreteSpace": "int32 n",
    "BoxSpace": "float low, float high, Dtype dtype, uint32[] shape",
    "TupleSpace": "SpaceDescription[] element",
    "DictSpace": "SpaceDescription[] element",
    "DataContainer": "SpaceType type, Any data, string name",
    "DiscreteDataContainer": "int32 data",
    "BoxDataContainer": (
        "Dtype dtype, uint32[] shape, int32[] intData, uint32[] uintData, float[] floatData, "
        "double[] doubleData"
    ),
    "TupleDataContainer": "DataContainer[] element",
    "DictDataContainer": "DataContainer[] element",
    "SimInitMsg": (
        "uint64 simProcessId, uint64 wafShellProcessId, SpaceDescription obsSpace, SpaceDescription actSpace"
    ),
    "SimInitAck": "bool done, bool stopSimReq",
    # simTimeS is this project's: none or one value, and unknown to ns3-gym, whose agents skip it
    "EnvStateMsg": (
        "DataContainer obsData, float reward, bool isGameOver, Reason reason, string info, "
        "double[] simTimeS=15"
    ),
    "EnvActMsg": "DataContainer actData, bool stopSimReq",
}
_ENUMS: dict[str, type[enum.IntEnum]] = {"SpaceType": SpaceType, "Dtype": Dtype}
_NESTED_ENUMS: dict[str, dict[str, type[enum.IntEnum]]] = {"EnvStateMsg": {"Reason": Reason}}


def _add_enum(target: Any, name: str, values: type[enum.IntEnum]) -> None:
    declaration = target.add(name=name)
    for value in values:
        declaration.value.add(name=value.name, number=int(value))


def _set_type(field: Any, owner: str, type_name: str) -> None:
    if type_name in _NESTED_ENUMS.get(owner, {}):
        field.type, field.type_name = field.TYPE_ENUM, f".{PACKAGE}.{owner}.{type_name}"
    elif type_name in _ENUMS:
        field.type, field.type_name = field.TYPE_ENUM, f".{PACKAGE}.{type_name}"
    elif type_name in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{type_name}"
    elif type_name == "Any":
        field.type, field.type_name = field.TYPE_MESSAGE, ".google.protobuf.Any"
    else:
        field.type = getattr(field, f"TYPE_{type_name.upper()}")


def _add_message(target: Any, name: str, fields: str) -> None:
    message = target.add(name=name)
    for enum_name, values in _NESTED_ENUMS.get(name, {}).items():
        _add_enum(message.enum_type, enum_name, values)
    for number, declaration in enumerate(fields.split(", "), start=1):
        type_name, _, field_name = declaration.partition(" ")
        field_name, _, own_number = field_name.partition("=")
        field = message.field.add(name=field_name, number=int(own_number or number))
        repeated = type_name.endswith("[]")
        field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
        _set_type(field, name, type_name.removesuffix("[]"))


def file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """The whole table as a FileDescriptorProto (what protoc would make of a ``messages.proto``)."""
    file = descriptor_pb2.FileDescriptorProto(
        name="messages.proto",
        package=PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/any.proto"],
    )
    for name, values in _ENUMS.items():
        _add_enum(file.enum_type, name, values)
    for name, fields in _MESSAGES.items():
        _add_message(file.message_type, name, fields)
    return file


def _message_class(pool: Any, name: str) -> Any:
    descriptor = pool.FindMessageTypeByName(f"{PACKAGE}.{name}")
    get_class = getattr(message_factory, "GetMessageClass", None)
    if get_class is None:  # protobuf 4.21
        get_class = message_factory.MessageFactory(pool).GetPrototype  # type: ignore[attr-defined]
    return get_class(descriptor)


def _message_classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file_descriptor().SerializeToString())
    return {name: _message_class(pool, name) for name in _MESSAGES}


_CLASSES = _message_classes()
SpaceDescription: Any = _CLASSES["SpaceDescription"]
DiscreteSpace: Any = _CLASSES["DiscreteSpace"]
BoxSpace: Any = _CLASSES["BoxSpace"]
TupleSpace: Any = _CLASSES["TupleSpace"]
DictSpace: Any = _CLASSES["DictSpace"]
DataContainer: Any = _CLASSES["DataContainer"]
DiscreteDataContainer: Any = _CLASSES["DiscreteDataContainer"]
BoxDataContainer: Any = _CLASSES["BoxDataContainer"]
TupleDataContainer: Any = _CLASSES["TupleDataContainer"]
DictDataContainer: Any = _CLASSES["DictDataContainer"]
SimInitMsg: Any = _CLASSES["SimInitMsg"]
SimInitAck: Any = _CLASSES["SimInitAck"]
EnvStateMsg: Any = _CLASSES["EnvStateMsg"]
EnvActMsg: Any = _CLASSES["EnvActMsg"]


def parse(message_class: Any, payload: bytes) -> Any:
    """Read one message.

    Args:
        message_class: one of the classes of this module.
        payload: its serialised bytes.

    Raises:
        ProtocolError: the bytes are no such message.
    """
    try:
        return message_class.FromString(payload)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        name = message_class.DESCRIPTOR.name
        raise ProtocolError(f"{len(payload)} bytes are no {name}: {error}") from error


def pack(target: Any, message: Any) -> None:
    """Put ``message`` into ``target``, a google.protobuf.Any.

    By hand, because the Any of a private pool has no ``Pack`` under every protobuf runtime.
    """
    target.type_url = TYPE_URL_PREFIX + message.DESCRIPTOR.name
    target.value = message.SerializeToString()


def unpack(source: Any, message_class: Any) -> Any:
    """Read the message of class ``message_class`` out of ``source``, a google.protobuf.Any.

    Raises:
        ProtocolError: it holds another type, or bytes that are no such message.
    """
    expected = message_class.DESCRIPTOR.full_name
    if source.type_url.rpartition("/")[2] != expected:
        raise ProtocolError(f"expected {expected}, got type_url {source.type_url[:200]!r}")
    return parse(message_class, source.value)


def unpacker(message_class: Any) -> Callable[[Any], Any]:
    """``unpack`` for one class, quick where the type_url is as everybody writes it."""
    type_url = TYPE_URL_PREFIX + message_class.DESCRIPTOR.name

    def unpack_one(source: Any) -> Any:
        return (
            parse(message_class, source.value)
            if source.type_url == type_url
            else unpack(source, message_class)
        )

    return unpack_one
