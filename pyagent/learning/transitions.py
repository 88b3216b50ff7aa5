"""Which context was followed by which: what the channel model learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pyagent.envs.observation import NAMES
from pyagent.surrogate.channel import ChannelModel
from pyagent.surrogate.types import ActionEncoder, Contexts


@dataclass
class Transitions:
    """Contexts, actions and next contexts that were really seen, within episodes, oldest first."""

    contexts: list[Contexts] = field(default_factory=list)
    actions: list[int] = field(default_factory=list)
    next_contexts: list[Contexts] = field(default_factory=list)

    def add(self, context: Contexts, action: int, after: Contexts) -> None:
        """Note one: contexts [D]."""
        self.contexts.append(context)
        self.actions.append(action)
        self.next_contexts.append(after)

    def channel(self, encoder: ActionEncoder) -> ChannelModel:
        """The channel model of all that was seen, which must be something."""
        model = ChannelModel(encoder, previous_split=NAMES.index("previous_split"))
        actions = np.array(self.actions, dtype=np.int64)
        model.fit(np.stack(self.contexts), actions, np.stack(self.next_contexts))
        return model
