"""An outage in words."""

from __future__ import annotations

from haos.core import vrrp
from haos.core.leg import Leg
from haos.core.outage import Verdict


def outage_text(leg: Leg) -> str:
    """Return the outage of a leg with its resolution and bound."""
    if leg.verdict is Verdict.UNKNOWN:
        return f"outage unknown ({leg.reason})"
    if leg.outage is None:
        return f"no probe lost (bound {leg.bound_s:.3f} s)"
    more = "more than " if leg.outage.open else ""
    resolution = f"± {leg.outage.resolution_s:.3f} s"
    bound = f"bound {leg.bound_s:.3f} s + {vrrp.MARGIN_S:g} s margin"
    return f"outage {more}{leg.outage.outage_s:.3f} s {resolution} ({bound})"
