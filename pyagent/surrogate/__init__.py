"""Surrogate of the expensive evaluation, the learned channel, and the imagined environment made of both."""

from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.channel import ChannelModel
from pyagent.surrogate.ensemble import EnsembleSettings, EnsembleSurrogate
from pyagent.surrogate.imagined import ImaginedEnv, ImaginedModel, ImaginedVecEnv
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import COMPONENTS, ActionEncoder, Batch, Prediction, Surrogate

__all__ = [
    "COMPONENTS",
    "ActionEncoder",
    "Batch",
    "ChannelModel",
    "ComponentScales",
    "EnsembleSettings",
    "EnsembleSurrogate",
    "ImaginedEnv",
    "ImaginedModel",
    "ImaginedVecEnv",
    "Prediction",
    "Surrogate",
    "calibration",
]
