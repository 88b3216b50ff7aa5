"""Every fuzz target in Python. A new one is a class in one of these modules, and a line here."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets.checkpoints import Actors, Journals, Learners, PolicyZips, Surrogates
from tests.fuzz.targets.models import (
    Cards,
    Configurations,
    GgufFiles,
    Llama2cFiles,
    ModelFolders,
    ModelHalves,
)
from tests.fuzz.targets.results import Datasets, Profiles, QualityTables, Runs, Stores
from tests.fuzz.targets.scenarios import Previews, Scenarios, Sweeps, Texts
from tests.fuzz.targets.traces import MOBILITY, RADIO
from tests.fuzz.targets.wire import WireInfo, WireInit, WireState, WireZmtp

TARGETS: tuple[type[Target], ...] = (
    *(WireInit, WireState, WireZmtp, WireInfo),
    *(Scenarios, Sweeps, Previews, Texts, Cards, Configurations),
    *MOBILITY,
    *RADIO,
    *(Surrogates, Actors, PolicyZips, Journals, Learners),
    *(Datasets, Runs, Stores, Profiles, QualityTables),
    *(Llama2cFiles, ModelHalves, ModelFolders, GgufFiles),
)
