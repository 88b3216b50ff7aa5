"""What stands in the way of the radio, beside distance and fading."""

from __future__ import annotations

from typing import Any

from pyagent.scenario.schema.base import Section


class Environment(Section):
    """Everything between sites and UEs."""

    def simulator(self) -> dict[str, Any]:
        """What ns-3 is given."""
        return self.model_dump()
