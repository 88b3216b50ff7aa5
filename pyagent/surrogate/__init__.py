"""Surrogate of the expensive evaluation, the learned channel, and the imagined environment made of both."""

from pyagent.surrogate.base import HeadsSurrogate
from pyagent.surrogate.calibration import calibration
from pyagent.surrogate.channel import ChannelModel
from pyagent.surrogate.ensemble import EnsembleSettings, EnsembleSurrogate
from pyagent.surrogate.gaussian_process import GaussianProcessSurrogate, GpSettings
from pyagent.surrogate.imagined import ImaginedEnv, ImaginedModel, ImaginedVecEnv
from pyagent.surrogate.linear import LinearSettings, LinearSurrogate
from pyagent.surrogate.registry import SURROGATES, make_surrogate, register_surrogate
from pyagent.surrogate.scales import ComponentScales
from pyagent.surrogate.types import COMPONENTS, ActionEncoder, Batch, Prediction, Surrogate

__all__ = [
    "COMPONENTS",
    "SURROGATES",
    "ActionEncoder",
    "Batch",
    "ChannelModel",
    "ComponentScales",
    "EnsembleSettings",
    "EnsembleSurrogate",
    "GaussianProcessSurrogate",
    "GpSettings",
    "HeadsSurrogate",
    "ImaginedEnv",
    "ImaginedModel",
    "ImaginedVecEnv",
    "LinearSettings",
    "LinearSurrogate",
    "Prediction",
    "Surrogate",
    "calibration",
    "make_surrogate",
    "register_surrogate",
]
