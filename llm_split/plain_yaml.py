"""YAML that anybody may have written: plain data, and no larger than it looks."""

from __future__ import annotations

from typing import Any

import yaml

MAX_VALUES = 1_000_000
"""Scalars, lists and mappings, each alias counted as often as it is written."""
MAX_NUMBER_CHARACTERS = 100


def load_yaml(text: str) -> Any:
    """What a YAML text holds: mappings, lists, numbers, texts, dates.

    Aliases share what they name, so a few lines can stand for more than any memory holds once somebody prints
    or copies it.

    Raises:
        yaml.YAMLError: it is no YAML, names types of Python, holds itself or more than `MAX_VALUES`, is
            nested too deeply, or a number or date in it is none.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None
    except ValueError as error:
        raise yaml.YAMLError(str(error)) from error
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """Values in a node; `counted` holds those of the nodes seen, 0 while one is being counted."""
    if id(node) in counted:
        if counted[id(node)] == 0:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1} holds itself")
        return counted[id(node)]
    counted[id(node)] = 0
    count = 1 + sum(_count(child, counted) for child in _children(node))
    if count > MAX_VALUES:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1} holds more than {MAX_VALUES} values")
    counted[id(node)] = count
    return count


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    is_number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
    if is_number and len(node.value) > MAX_NUMBER_CHARACTERS:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: a number of {len(node.value)} characters")
    return []
