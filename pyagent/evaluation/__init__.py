"""Evaluation: oracle, statistics, policy summaries."""

from pyagent.evaluation.clairvoyant import Clairvoyant, best_path, clairvoyant
from pyagent.evaluation.oracle import Oracle, oracle
from pyagent.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
)
from pyagent.evaluation.summary import compare, oracle_frame, summarise

__all__ = [
    "Clairvoyant",
    "Interval",
    "Oracle",
    "best_path",
    "bootstrap_interval",
    "clairvoyant",
    "compare",
    "interquartile_mean",
    "oracle",
    "oracle_frame",
    "paired_difference",
    "summarise",
]
