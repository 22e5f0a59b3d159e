"""What an instance's status says of it, in Nova's words, and what brings it back."""

from __future__ import annotations

from haos.core.model import Instance

_WAKE = {
    "SHUTOFF": "start",
    "PAUSED": "unpause",
    "SUSPENDED": "resume",
    "SHELVED": "unshelve",
    "SHELVED_OFFLOADED": "unshelve",
    "RESCUE": "unrescue",
}
"""Nova's status -> what of `openstack server` ends it."""
_UP = {"ACTIVE", "REBOOT", "HARD_REBOOT", "PASSWORD", "VERIFY_RESIZE", "MIGRATING", "UNKNOWN"}
"""In these an sshd answers, will in a moment, or may."""


def may_answer(instance: Instance) -> bool:
    """Say whether an sshd may answer there; of the others Nova knows that none does."""
    return instance.status in _UP


def wake(instance: Instance) -> str:
    """Return the command that lets an instance run again, or tells more."""
    return f"openstack server {_WAKE.get(instance.status, 'show')} {instance.id}"
