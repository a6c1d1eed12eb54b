"""The latency of a run: on which device it is measured, and the limit that proposals meet."""

from __future__ import annotations

import logging

from search.errors import StudyError
from search.objective import EXPECTED_LATENCY
from search.proposals.latency_gate import LatencyGate, known_here
from search.run.context import Context
from search.storage.latency import LatencyKey

log = logging.getLogger("search")

DEVICE_ATTR = "latency_device"  # attribute of a study


def latency_gate(run: Context) -> LatencyGate | None:
    """Return the gate of a study that limits latency, None of another.

    Raises StudyError where the study has measured latency on another device: a front of both would compare devices.
    """
    config, store = run.config, run.store
    if not config.measures_latency and EXPECTED_LATENCY not in config.stopping:
        return None
    key = LatencyKey.of(config.latency, run.budget.devices[0] if config.measures_latency else "cpu")
    known = store.study.user_attrs.get(DEVICE_ATTR)
    if any(
        "latency" in one.metrics and one.latency is None and one.reused is None for one in store.records()
    ):
        log.warning(
            "latencies of trials of an earlier version were measured by the clock, after the training"
        )
    if known is None:
        store.study.set_user_attr(DEVICE_ATTR, key.device)
    elif known != key.device:
        raise StudyError(
            f"study {config.name} measures latency on {known}, and this is {key.device}: resume it there, or begin a "
            f"study of another name here, with --from {config.name}"
        )
    if config.latency_limit is None:
        return None
    return LatencyGate(key, config.latency_limit, run.progress.said, known_here(store.records(), key))
