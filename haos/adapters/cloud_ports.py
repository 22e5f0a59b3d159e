"""Writing Neutron's ports: one guarded request each; nothing repeated blindly, nothing of others lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_errors import LostAnswerError, OvertakenError, RevisionError
from haos.adapters.cloud_rest import Json, Rest, patiently
from haos.core.model import RESERVATION_OWNER, Port
from haos.errors import AddressTakenError, CloudError, MacTakenError, NotFoundError
from haos.workflow.context import PortAmendment, Reservation

CONFLICT_DEADLINE_S = 30.0
"""How long to keep on when others change the same thing, or answers are lost."""
CONFLICT_ATTEMPTS = 30
LOST_ATTEMPTS = 4


class Ports:
    """The ports that haos writes to."""

    def __init__(self, neutron: Rest, project_id: str) -> None:
        self._neutron = neutron
        self._project_id = project_id

    def get(self, port_id: str) -> Port:
        """Get a port as it is now."""
        what = f"get port {port_id}"
        return parse.port(parse.part(self._neutron.get(f"/ports/{port_id}", what), "port", f"cannot {what}"))

    def reservations(self, more: Mapping[str, str]) -> tuple[Port, ...]:
        """List the project's reservation ports, those that match more filters."""
        query = {"device_owner": RESERVATION_OWNER, "project_id": self._project_id, **more}
        return tuple(map(parse.port, self._neutron.pages("/ports", "list reservations", query)))

    def delete(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine."""
        self._neutron.delete(f"/ports/{port_id}", f"delete port {port_id}")

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port; an answer that was lost is looked up and adopted."""
        body = parse.reservation_body(reservation)
        lost = False

        def attempt() -> Port:
            nonlocal lost
            try:
                answer = self._neutron.write("POST", "/ports", f"reserve {reservation.address}", {"port": body})
                return _port(answer)
            except LostAnswerError:
                lost = True
                if mine := self._made_by_us(reservation):
                    return mine
                raise
            except (AddressTakenError, MacTakenError):
                # The one who took it may have been this run, a moment ago.
                if lost and (mine := self._made_by_us(reservation)):
                    return mine
                raise

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def _made_by_us(self, reservation: Reservation) -> Port | None:
        query = {
            "network_id": reservation.network_id,
            "device_id": reservation.device_id,
            "fixed_ips": f"ip_address={reservation.address}",
        }
        return next((port for port in self.reservations(query) if parse.holds(port, reservation)), None)

    def describe(self, port: Port, description: str) -> Port:
        """Rewrite the record over the one that was read; refuse if somebody else's stands there by now.

        A new revision alone is nobody's doing: OVN moves the VIP's port, and its revision with it, at every failover.
        """
        return self._put(
            port.id,
            port.revision,
            {"description": description},
            what="write the record",
            changed="the record was changed by somebody else meanwhile",
            stands=lambda now: now.description == port.description,
        )

    def adopt(self, port: Port, device_id: str, description: str) -> Port:
        """Make an unbound port a reservation, unless it was changed since it was read."""
        return self._put(
            port.id,
            port.revision,
            {"device_owner": RESERVATION_OWNER, "device_id": device_id, "description": description},
            what=f"adopt port {port.id}",
            changed=f"port {port.id} was changed by somebody else meanwhile",
        )

    def release(self, port_id: str) -> None:
        """Take haos's marks off a port that it adopted; one that is gone is fine."""
        bare = {"device_owner": "", "device_id": "", "description": ""}
        try:
            self._put(port_id, None, bare, what=f"release port {port_id}", changed="")
        except NotFoundError:
            return

    def _put(
        self,
        port_id: str,
        revision: int | None,
        fields: Mapping[str, str],
        *,
        what: str,
        changed: str,
        stands: Callable[[Port], bool] | None = None,
    ) -> Port:
        """Set these fields; after a lost answer look whether they are set.

        On a 412 go on if what matters still `stands`, else say `changed`.
        """
        lost = False

        def attempt() -> Port:
            nonlocal revision, lost
            try:
                answer = self._neutron.write(
                    "PUT", f"/ports/{port_id}", what, {"port": dict(fields)}, revision=revision
                )
                return _port(answer)
            except LostAnswerError:
                lost = True
                if _has(found := self.get(port_id), fields):
                    return found
                raise
            except RevisionError as error:
                now = self.get(port_id) if lost or stands else None
                # The one who changed it may have been this run, a moment ago.
                if now and lost and _has(now, fields):
                    return now
                if now and stands and stands(now):
                    revision = now.revision
                    raise
                raise CloudError(f"cannot {what}: {changed}", hint="run the same command again") from error

        return patiently(
            attempt, (RevisionError, LostAnswerError), attempts=CONFLICT_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S
        )

    def amend(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again.

        Neutron compares the revision and writes in two steps: of several requests with one revision more than one may
        be taken, and the last of them wins. Where there is a sign that somebody else is writing, the port is read
        once more a moment later, and mended if need be. Raises OvertakenError where that takes no end.
        """
        known: Port | None = port
        contested = False

        def attempt() -> Port:
            nonlocal known, contested
            now = known = known or self.get(port.id)
            body: Json = parse.amended(now, amendment)
            if not body:
                return now
            what = f"change port {port.id}"
            try:
                answer = self._neutron.write("PUT", f"/ports/{port.id}", what, {"port": body}, revision=now.revision)
            except (RevisionError, LostAnswerError) as error:
                contested = contested or isinstance(error, RevisionError)
                known = self.get(port.id)
                raise
            known = _port(answer)
            if contested or _overtook(now, known) or parse.amended(known, amendment):
                contested, known = True, None
                raise OvertakenError(
                    f"cannot {what}: others change it again and again", hint="run the same command again"
                )
            return known

        return patiently(
            attempt,
            (RevisionError, LostAnswerError, OvertakenError),
            attempts=CONFLICT_ATTEMPTS,
            deadline_s=CONFLICT_DEADLINE_S,
        )


def _overtook(before: Port, after: Port) -> bool:
    """Say whether somebody else has written between the state that a request was made from and its answer."""
    if before.revision is None or after.revision is None:
        return False
    return after.revision != before.revision + 1


def _port(answer: Json) -> Port:
    return parse.port(parse.part(answer, "port", "cannot read what became of a port"))


def _has(port: Port, fields: Mapping[str, str]) -> bool:
    return all(getattr(port, name) == value for name, value in fields.items())
