"""What the guardian does once haos is gone, or the announced time has passed."""

from __future__ import annotations

from contextlib import suppress

from haos.core.intent import Intent
from haos.errors import CloudError, NotFoundError
from haos.workflow.context import Clock, Cloud
from haos.workflow.intent import undo

IN_FLIGHT_S = 1.0
"""A request that haos sent just before it died may still be on its way through the cloud: it goes first."""
TIMEOUT_S = 600.0
PAUSE_S = 2.0


def undo_if_announced(intent: Intent, reservation_id: str, cloud: Cloud, clock: Clock) -> bool:
    """Undo the fault and take the announcement back; return False if it was taken back already.

    Goes on while the API is away. Raises the last CloudError, the announcement kept, after ten minutes.
    """
    clock.sleep(IN_FLIGHT_S)
    deadline_s = clock.now_s() + TIMEOUT_S
    while True:
        try:
            return _undo_once(intent, reservation_id, cloud, clock, deadline_s - clock.now_s())
        except CloudError:
            if clock.now_s() >= deadline_s:
                raise
        clock.sleep(PAUSE_S)


def _undo_once(intent: Intent, reservation_id: str, cloud: Cloud, clock: Clock, timeout_s: float) -> bool:
    try:
        if intent.tag not in cloud.port(reservation_id).tags:
            return False
    except NotFoundError:
        return False
    with suppress(NotFoundError):  # a port that is gone is down for good
        undo(intent, cloud.port(intent.port_id), cloud, clock, timeout_s)
    cloud.remove_tag(reservation_id, intent.tag)
    return True
