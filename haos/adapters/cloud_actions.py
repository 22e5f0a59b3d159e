"""What is done to ports and instances for a while: down and up, off and on; and the tags that announce it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

from haos.adapters.cloud_errors import LostAnswerError, StateError
from haos.adapters.cloud_fields import part
from haos.adapters.cloud_rest import Rest
from haos.core.model import InstanceAction
from haos.errors import NotFoundError

TASKS = {
    InstanceAction.START: "powering-on",
    InstanceAction.STOP: "powering-off",
    InstanceAction.PAUSE: "pausing",
    InstanceAction.UNPAUSE: "unpausing",
}
"""Nova's `OS-EXT-STS:task_state` while it is at it."""


class Actions:
    """Each is one request that may be repeated: what is so already is fine."""

    def __init__(self, neutron: Rest, nova: Rest) -> None:
        self._neutron = neutron
        self._nova = nova

    def set_port_up(self, port_id: str, up: bool) -> None:
        """Set a port's administrative state."""
        what = f"set port {port_id} {'up' if up else 'down'}"
        self._neutron.order("PUT", f"/ports/{port_id}", what, {"port": {"admin_state_up": up}})

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        """Order an action; a refusal is fine if the instance is there already, or on its way."""
        what = f"{action.removeprefix('os-')} instance {instance_id}"
        try:
            self._nova.order("POST", f"/servers/{instance_id}/action", what, {action.value: None})
        except StateError:
            answer = self._nova.get(f"/servers/{instance_id}", f"get instance {instance_id}")
            now = part(answer, "server", f"cannot get instance {instance_id}")
            task = now.get("OS-EXT-STS:task_state")
            if task != TASKS[action] and (task or now.get("status") != action.outcome):
                raise

    def add_tag(self, port_id: str, tag: str) -> None:
        """Put a tag on a port."""
        with self._there(port_id):
            self._neutron.order("PUT", _tag(port_id, tag), f"tag port {port_id}")

    def remove_tag(self, port_id: str, tag: str) -> None:
        """Take a tag off a port; what is gone is fine."""
        with suppress(NotFoundError), self._there(port_id):
            self._neutron.delete(_tag(port_id, tag), f"take a tag off port {port_id}")

    @contextmanager
    def _there(self, port_id: str) -> Iterator[None]:
        """Raise NotFoundError if a port is gone: Neutron stumbles over the tags of what is not there (HTTP 500)."""
        try:
            yield
        except LostAnswerError:
            self._neutron.get(f"/ports/{port_id}", f"get port {port_id}")
            raise


def _tag(port_id: str, tag: str) -> str:
    return f"/ports/{port_id}/tags/{quote(tag, safe='')}"
