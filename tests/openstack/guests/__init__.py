"""The lab's instances as the guests of a real cloud: booted on its hypervisors, plugged into their bridges."""

from __future__ import annotations

from tests.openstack.guests.fleet import Guests

__all__ = ["Guests"]
