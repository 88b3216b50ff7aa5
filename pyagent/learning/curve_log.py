"""Curves of a training while it runs: TensorBoard's events, and Weights & Biases where asked for."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pyagent.errors import UserError


class CurveLog:
    """A training's curves, one point per decision.

    `tensorboard --logdir FOLDER` shows them. What is logged is told nowhere else before the training's end;
    afterwards decisions.parquet has all of it.

    Args:
        folder: of TensorBoard's events; made.
        first: decisions that were logged there before; later ones are overwritten, with 0 all is.
        project: of Weights & Biases; None: not sent there.
        config: what Weights & Biases shows beside the curves.

    Raises:
        UserError: Weights & Biases is asked for and not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        first: int = 0,
        project: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        # Half a second that only trainings need.
        from torch.utils.tensorboard import SummaryWriter

        self._sent: Any = None if project is None else _wandb_run(project, folder, dict(config or {}))
        if first == 0:
            shutil.rmtree(folder, ignore_errors=True)
        self._events: Any = SummaryWriter(str(folder), purge_step=first + 1 if first else None)  # type: ignore[no-untyped-call]

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log values of one decision; what isn't known (NaN) leaves a gap."""
        known = {name: value for name, value in values.items() if not math.isnan(value)}
        for name, value in known.items():
            self._events.add_scalar(name, value, step)
        if self._sent is not None:
            self._sent.log(known, step=step)

    def close(self) -> None:
        """Write what is left."""
        self._events.close()
        if self._sent is not None:
            self._sent.finish()

    def __enter__(self) -> CurveLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_wandb(project: str | None) -> None:
    """Raises UserError where Weights & Biases is asked for and not installed."""
    if project is None:
        return
    try:
        import wandb  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"--wandb = {project!r}: Weights & Biases is not installed; valid with "
            "`pip install 'ns3-llm-split[wandb]'`"
        ) from error


def _wandb_run(project: str, folder: Path, config: dict[str, Any]) -> Any:
    check_wandb(project)
    import wandb

    folder.parent.mkdir(parents=True, exist_ok=True)
    return wandb.init(
        project=project, dir=str(folder.parent), config=config, name=folder.name, reinit="create_new"
    )
