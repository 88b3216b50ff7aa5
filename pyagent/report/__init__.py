"""Reports of runs: one HTML file each, readable offline."""

from pyagent.report.comparison import compare_runs, write_comparison
from pyagent.report.files import ReportError
from pyagent.report.page import Written, write_report

__all__ = ["ReportError", "Written", "compare_runs", "write_comparison", "write_report"]
