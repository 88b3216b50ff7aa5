"""Whether this machine has what a run needs, and what to do where it hasn't."""

from pyagent.doctor.checks import CHECKS
from pyagent.doctor.examination import Check, Finding, Result, Status, examine

__all__ = ["CHECKS", "Check", "Finding", "Result", "Status", "examine"]
