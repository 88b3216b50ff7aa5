"""Recorded datasets: every split on the same seeds, played once for real and kept."""

from pyagent.dataset.dataset import Dataset, DatasetError, open_dataset, shipped_dataset
from pyagent.dataset.table import PARTS, RecordedTable, recorded_table

__all__ = [
    "PARTS",
    "Dataset",
    "DatasetError",
    "RecordedTable",
    "open_dataset",
    "recorded_table",
    "shipped_dataset",
]
