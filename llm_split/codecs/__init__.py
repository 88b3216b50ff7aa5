"""Activation codecs: what a hidden state weighs on the wire and what is left of it afterwards.

Each module of this package registers its codecs when it is imported, and all of them are imported here: a new
codec is one new file. One from outside calls `register_codec` itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from llm_split.codecs.base import (
    Codec,
    channel_bounds,
    codec_names,
    get_codec,
    register_codec,
    require_finite,
)

__all__ = ["Codec", "channel_bounds", "codec_names", "get_codec", "register_codec", "require_finite"]

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")
