"""Load one half of a model alone: the other half's blocks never come into memory.

The model is built without memory, then the tensors of the wanted half are read from its safetensors files,
one by one. What is then allocated is what that half weighs on its device. Families whose files hold other
tensors than the loaded model does (experts one by one, say) are read whole first, and need memory for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from torch import nn

from llm_split.config_shapes import check_config_file, count_blocks
from llm_split.models import locate_model
from llm_split.models.pretrained import quiet_transformers, require_no_extra, unused_weights
from llm_split.partition import CannotSplitError, EdgeHalf, SplitModel, UeHalf, find_blocks
from llm_split.plain import reason

Role = Literal["ue", "edge"]
_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


@dataclass(frozen=True)
class LoadedHalf:
    """One half in memory.

    Attributes:
        half: what computes.
        weight_bytes: of its parameters, each counted once.
    """

    half: UeHalf | EdgeHalf
    weight_bytes: int


def load_half(
    name_or_path: str,
    role: Role,
    split: int,
    cache_dir: Path | str | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> LoadedHalf:
    """Load the UE's or the edge's half of a model that lies in a local folder.

    The UE holds the embeddings and blocks 0..split-1; the edge blocks `split`.., the final norm and the head
    (which is the embedding table where both are tied).

    Args:
        name_or_path: a fetched packaged model or a folder with safetensors files.
        role: "ue" or "edge".
        split: 1..num_layers for the UE, 1..num_layers-1 for the edge, which has no block otherwise.
        cache_dir: where fetched models are, see `llm_split.models`.
        device: where the weights go.
        dtype: what they are converted to.

    Raises:
        ValueError: `role` or `split` out of range.
        ModelNotFoundError: no such model.
        CannotSplitError: it is no decoder that can be cut, or its files are damaged, lack a tensor or have
            one that the configuration does not use.
    """
    folder = Path(locate_model(name_or_path, cache_dir))
    if not folder.is_dir():
        raise CannotSplitError(
            f"{name_or_path!r} is no local folder with safetensors; half of it can't be read"
        )
    with _reading(folder), quiet_transformers():
        check_config_file(folder)
        model = _without_memory(folder, dtype)
        num_layers = count_blocks(model.config)
    missing = _missing_blocks(num_layers, role, split)
    absent = _absent_parameters(model, num_layers, role, missing)
    wanted = {name for name in _names(model) if name not in absent}
    with _reading(folder), quiet_transformers():
        _weight_files(folder)
        require_no_extra(unused_weights(folder))
        _fill(model, folder, wanted, device, dtype)
    model.tie_weights()
    owner = SplitModel(_buffers_to(model, device), missing)
    half = owner.ue_half(split) if role == "ue" else owner.edge_half(split)
    return LoadedHalf(half, sum(p.nbytes for p in model.parameters() if not p.is_meta))


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """What the libraries raise for damaged or foreign files is of many kinds."""
    try:
        yield
    except CannotSplitError:
        raise
    except Exception as error:
        raise CannotSplitError(f"{folder} can't be read as a model: {reason(error)}") from error


def _fill(model: Any, folder: Path, wanted: set[str], device: str, dtype: torch.dtype) -> None:
    for name, tensor in _tensors(folder, wanted):
        wanted.discard(name)
        _assign(model, name, tensor.to(device, dtype))
    if wanted & {name for name, _ in model.named_parameters()}:
        # Some families rename or merge tensors when they are loaded.
        for name, tensor in _tensors_of_whole(folder, wanted, dtype):
            _assign(model, name, tensor.to(device))


def _without_memory(folder: Path, dtype: torch.dtype) -> Any:
    """The model with parameters on the meta device; its buffers (rotary tables, say) are real."""
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    model.tie_weights()  # making parameters without memory has untied them
    return model


def _missing_blocks(num_layers: int, role: Role, split: int) -> range:
    last = num_layers if role == "ue" else num_layers - 1
    if role not in ("ue", "edge"):
        raise ValueError(f"role is {role!r}, valid: 'ue', 'edge'")
    if not 1 <= split <= last:
        raise ValueError(f"split is {split}, valid for the {role}: 1..{last}")
    return range(split, num_layers) if role == "ue" else range(split)


def _absent_parameters(model: Any, num_layers: int, role: Role, missing: range) -> set[str]:
    """Names of the parameters that this half does without."""
    blocks = find_blocks(model, num_layers)
    absent = {id(x) for i in missing for x in (*blocks[i].parameters(), *blocks[i].buffers())}
    table, head = model.get_input_embeddings(), model.get_output_embeddings()
    if table.weight is not head.weight:
        absent |= {id(p) for p in (head if role == "ue" else table).parameters()}
    named = (*model.named_parameters(), *model.named_buffers())
    return {name for name, tensor in named if id(tensor) in absent}


def _names(model: Any) -> set[str]:
    """Parameters, each once, and the buffers that files hold (a router's bias, say; not rotary tables)."""
    stored = model.state_dict().keys()
    buffers = {name for name, _ in model.named_buffers() if name in stored}
    return buffers | {name for name, _ in model.named_parameters()}


def _tensors(folder: Path, wanted: set[str]) -> Iterator[tuple[str, torch.Tensor]]:
    """The wanted tensors that the folder's files hold."""
    for file in _weight_files(folder):
        with safe_open(str(file), framework="pt") as reader:
            for name in sorted(wanted & set(reader.keys())):
                yield name, reader.get_tensor(name)


def _tensors_of_whole(
    folder: Path, wanted: set[str], dtype: torch.dtype
) -> Iterator[tuple[str, torch.Tensor]]:
    """The wanted parameters of the whole model, which is in memory for that long."""
    from transformers import AutoModelForCausalLM

    whole, info = AutoModelForCausalLM.from_pretrained(
        str(folder),
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if lacking := sorted(wanted & set(info["missing_keys"])):
        raise CannotSplitError(f"{folder} lacks {len(lacking)} tensors, the first is {lacking[0]}")
    named = (*whole.named_parameters(), *whole.named_buffers())
    yield from ((name, tensor.detach().clone()) for name, tensor in named if name in wanted)


def _weight_files(folder: Path) -> list[Path]:
    if (folder / _SINGLE).is_file():
        return [folder / _SINGLE]
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotSplitError(f"{folder} has neither {_SINGLE} nor {_INDEX}") from error
    return [folder / Path(name).name for name in sorted(set(index["weight_map"].values()))]


def _assign(model: Any, name: str, tensor: torch.Tensor) -> None:
    """Put a tensor in its place: a parameter in the wanted dtype, a buffer in the one that it has."""
    parent, _, leaf = name.rpartition(".")
    module = model.get_submodule(parent)
    there = getattr(module, leaf)
    if there.shape != tensor.shape:
        raise CannotSplitError(
            f"{name} has shape {tuple(tensor.shape)} in the files, valid: {tuple(there.shape)} by the config"
        )
    if isinstance(there, nn.Parameter):
        setattr(module, leaf, nn.Parameter(tensor, requires_grad=False))
    else:
        setattr(module, leaf, tensor.to(there.dtype))


def _buffers_to(model: Any, device: str) -> Any:
    for module in model.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer.to(device))
    return model
