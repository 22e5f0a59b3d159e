"""Neutron's floating IPs and routers: nothing repeated blindly, and nothing taken from where it leads by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_errors import LostAnswerError, RevisionError
from haos.adapters.cloud_rest import Json, Rest, patiently
from haos.core.model import Address, FloatingIp, Router
from haos.errors import CloudError, ForbiddenError, NotFoundError, UnsatisfiableError

CONFLICT_DEADLINE_S = 30.0
CONFLICT_ATTEMPTS = 30
LOST_ATTEMPTS = 4


class FloatingIps:
    """The project's floating IPs."""

    def __init__(self, neutron: Rest, project_id: str) -> None:
        self._neutron = neutron
        self._project_id = project_id

    def routers(self, ids: Sequence[str]) -> tuple[Router, ...]:
        """Get routers by id, those that are visible."""
        return tuple(map(parse.router, self._neutron.pages("/routers", "list routers", {"id": list(ids)})))

    def listed(self, port_id: str | None = None, *, needed: bool = False) -> tuple[FloatingIp, ...]:
        """List the project's floating IPs; none where this cloud has no such thing, or does not tell.

        Where they are `needed` that raises NotFoundError or ForbiddenError.
        """
        query = {"project_id": self._project_id, **({"port_id": port_id} if port_id else {})}
        try:
            return tuple(map(parse.floating_ip, self._neutron.pages("/floatingips", "list floating IPs", query)))
        except (NotFoundError, ForbiddenError):
            if needed:
                raise
            return ()

    def make(self, network_id: str, port_id: str, fixed: Address, description: str) -> FloatingIp:
        """Make one that leads to an address of a port; one whose answer was lost is looked up and adopted."""
        body = {"floatingip": parse.floating_body(network_id, port_id, fixed, description)}
        lost = False

        def made_by_us() -> FloatingIp | None:
            return next((ip for ip in self.listed(port_id, needed=True) if ip.description == description), None)

        def attempt() -> FloatingIp:
            nonlocal lost
            try:
                answer = self._neutron.write("POST", "/floatingips", "make a floating IP", body)
                return _floating_ip(answer)
            except LostAnswerError:
                lost = True
                if mine := made_by_us():
                    return mine
                raise
            except UnsatisfiableError:
                # The one that leads there may have been made by this run, a moment ago.
                if lost and (mine := made_by_us()):
                    return mine
                raise

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def take(self, floating: FloatingIp, port_id: str, fixed: Address) -> FloatingIp:
        """Let one that leads nowhere lead to an address of a port. CloudError if it leads elsewhere by now."""

        def body(known: FloatingIp) -> Json | None:
            if known.port_id not in (None, port_id):
                raise CloudError(
                    f"floating IP {known.address} was associated with port {known.port_id} meanwhile",
                    hint=f"openstack floating ip show {known.address}",
                )
            return None if known.port_id else parse.association_body(port_id, fixed)

        return self._put(floating, f"associate floating IP {floating.address}", body)

    def mark(self, floating: FloatingIp, description: str) -> FloatingIp:
        """Give one a description."""

        def body(known: FloatingIp) -> Json | None:
            return {"description": description} if known.description != description else None

        return self._put(floating, f"describe floating IP {floating.address}", body)

    def release(self, floating: FloatingIp) -> None:
        """Let one lead nowhere, unless it leads elsewhere than is known; one that is gone is fine."""

        def body(known: FloatingIp) -> Json | None:
            return {"port_id": None} if known.port_id == floating.port_id else None

        try:
            self._put(floating, f"dissociate floating IP {floating.address}", body)
        except NotFoundError:
            return

    def delete(self, floating_id: str) -> None:
        """Delete one; one that is gone already is fine."""
        self._neutron.delete(f"/floatingips/{floating_id}", f"delete floating IP {floating_id}")

    def _put(self, floating: FloatingIp, what: str, body: Callable[[FloatingIp], Json | None]) -> FloatingIp:
        """Change one under If-Match, by what is known of it; after a 412 or a lost answer by what is so then."""
        known, path = floating, f"/floatingips/{floating.id}"

        def attempt() -> FloatingIp:
            nonlocal known
            wanted = body(known)
            if wanted is None:
                return known
            try:
                answer = self._neutron.write("PUT", path, what, {"floatingip": wanted}, revision=known.revision)
            except (RevisionError, LostAnswerError):
                known = _floating_ip(self._neutron.get(path, what))
                raise
            return _floating_ip(answer)

        return patiently(
            attempt, (RevisionError, LostAnswerError), attempts=CONFLICT_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S
        )


def _floating_ip(answer: Json) -> FloatingIp:
    return parse.floating_ip(parse.part(answer, "floatingip", "cannot read a floating IP"))
