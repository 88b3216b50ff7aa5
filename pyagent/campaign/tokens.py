"""Where the time of each generated token went: the rows of tokens.parquet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyagent.envs.record import DeliveryRecord, Outcome, there
from pyagent.scenario.compile import Deployment, deploy, reassembly_timeout_s
from pyagent.scenario.schema import Scenario

Row = dict[str, Any]


class TokenClock:
    """Takes the time of each step of a request apart, as far as the delivery record tells.

    A step is what makes one token. Computing takes what the simulator was given, to the last digit. Of a
    step that was sent once, the slowest fragment that was in time was `uplink_s` under way. A step that was
    sent again waited at least one timeout for each time, and the record doesn't say what was under way in
    it. What is left is `rest_s`: handing over the fragments one window after the other, waiting for those
    that never came, the edge's queue, and the reply.

    Args:
        scenario: what was simulated.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._deployment: Deployment = deploy(scenario)
        self._silence_s = reassembly_timeout_s(scenario) + scenario.transport.retry_timeout_ms / 1e3

    def rows(self, record: DeliveryRecord) -> list[Row]:
        """One row for each step that was begun; the parts (`*_s` but for the first two) sum to its time.

        `begun_s` and `arrived_s` count from the request's arrival; `arrived_s` is NaN for the step that the
        request failed in, whose parts reach to the deadline. Counts are of fragments, of which a prompt has
        many and a later step those of one token.
        """
        steps = min(record.generated_tokens + 1, record.output_tokens)
        ends_s = np.nan_to_num(record.token_time_s[:steps].astype(np.float64), nan=record.latency_s)
        begun_s = np.concatenate([[0.0], ends_s[:-1]])
        return [
            {
                "token": step,
                "begun_s": float(begun_s[step]),
                "arrived_s": float(record.token_time_s[step]),
                **self._parts(record, step, float(ends_s[step] - begun_s[step])),
                "resent": int(record.retries[step]),
                **_fragments(record, step),
            }
            for step in range(steps)
        ]

    def _parts(self, record: DeliveryRecord, step: int, total_s: float) -> dict[str, float]:
        got, resent = step < record.generated_tokens, int(record.retries[step])
        ue_s = min(self._ue_s(record, step), total_s)
        edge_s = min(self._edge_s(record, step), total_s - ue_s) if got else 0.0
        left_s = total_s - ue_s - edge_s
        resend_s = min(resent * self._silence_s, left_s)
        in_time = there(_of_step(record, record.outcome, step))
        delays_s = _of_step(record, record.delay_s, step)[in_time]
        seen = got and not resent and delays_s.size > 0
        uplink_s = min(float(delays_s.max()), left_s) if seen else 0.0
        return {
            "ue_s": ue_s,
            "uplink_s": uplink_s,
            "resend_s": resend_s,
            "edge_s": edge_s,
            "rest_s": left_s - resend_s - uplink_s,
        }

    def _ue_s(self, record: DeliveryRecord, step: int) -> float:
        times, layers = self._deployment.ue, self._deployment.num_layers
        prompt = record.prompt_tokens
        block_s = times.prefill_block_s[prompt] if step == 0 else times.decode_block_s[prompt + step]
        return record.split * block_s + (times.decode_head_s if record.split == layers else 0.0)

    def _edge_s(self, record: DeliveryRecord, step: int) -> float:
        times, blocks = self._deployment.edge, self._deployment.num_layers - record.split
        if blocks == 0:
            return 0.0
        prompt = record.prompt_tokens
        block_s = times.prefill_block_s[prompt] if step == 0 else times.decode_block_s[prompt + step]
        return blocks * block_s + times.decode_head_s


def _fragments(record: DeliveryRecord, step: int) -> dict[str, int]:
    """Fragments of the step: all, those that the edge did without, by cause, and those had from parity."""
    outcome = _of_step(record, record.outcome, step)
    causes = {
        "lost_radio": Outcome.LOST_RADIO,
        "lost_queue": Outcome.DROPPED_QUEUE,
        "lost_late": Outcome.LATE,
        "lost_unsent": Outcome.NOT_SENT,
        "recovered": Outcome.RECOVERED,
    }
    return {
        "fragments": int(outcome.size),
        **{name: int((outcome == cause).sum()) for name, cause in causes.items()},
    }


def _of_step(record: DeliveryRecord, rows: NDArray[Any], step: int) -> NDArray[Any]:
    """What `rows` [T, F] hold of one step: of the whole prompt, or of the token before this one."""
    first = 0 if step == 0 else record.prompt_tokens + step - 1
    return rows[first : record.prompt_tokens + step]
