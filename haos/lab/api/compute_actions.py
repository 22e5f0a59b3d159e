"""What one can do to a server: start, stop, pause, unpause, reboot, rebuild; and its console log."""

from __future__ import annotations

import re
from typing import Any

from haos.lab.api.compute_base import SERVERS, Servers, base, check_writer, invalid
from haos.lab.api.compute_records import IMAGE, State, full
from haos.lab.api.errors import ApiError
from haos.lab.api.instances import TASKS
from haos.lab.api.microversions import version_of
from haos.lab.api.routing import Call, Doc, Response, Route

RULES = {
    "os-start": "servers:start",
    "os-stop": "servers:stop",
    "pause": "os-pause-server:pause",
    "unpause": "os-pause-server:unpause",
    "reboot": "servers:reboot",
    "rebuild": "servers:rebuild",
    "forceDelete": "os-deferred-delete:force",
    "os-getConsoleOutput": "os-console-output",
}
"""Action -> the policy rule that admits it."""
REBOOTS = ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]


class ActionsApi(Servers):
    """POST /servers/{id}/action."""

    def routes(self) -> list[Route]:
        """Return this one route."""
        return [Route("POST", f"{SERVERS}/{{id}}/action", self.action)]

    def action(self, call: Call) -> Response:
        """Do to a server what the body says."""
        body = call.request.json()
        if len(body) != 1:
            raise ApiError(400, "Malformed request body")
        [(name, value)] = body.items()
        if name not in RULES:
            raise ApiError(400, f"There is no such action: {name}")
        server = self.find(call)
        check_writer(call.caller, RULES[name])
        if name == "os-getConsoleOutput":
            return self._console(server, value)
        if name == "rebuild":
            return self._rebuild(server, value, call)
        if name == "reboot":
            self.instances.act(server, "reboot_hard" if _kind(value) == "HARD" else "reboot")
        elif name == "forceDelete":
            self.instances.delete(server, self.ports)
        else:
            self.instances.act(server, name.removeprefix("os-"))
        return Response(202)

    def _rebuild(self, server: Doc, options: Any, call: Call) -> Response:
        if not isinstance(options, dict) or "imageRef" not in options:
            raise invalid("rebuild", options, "'imageRef' is a required property")
        if options["imageRef"] != IMAGE["id"]:
            raise ApiError(400, "Cannot find image for rebuild")
        state = State(self.instances.power(server["id"]), TASKS["rebuild"])
        self.instances.act(server, "rebuild")
        shown = full(self.store, server, state, version_of(call.request), caller=call.caller, base=base(call))
        return Response(202, {"server": shown})

    def _console(self, server: Doc, options: Any) -> Response:
        length = _length(options)
        if self.instances.power(server["id"]) is None:
            raise ApiError(409, f"Instance {server['id']} is not ready")
        log = self.instances.console(server["id"])
        return Response(200, {"output": log if length is None else tail(log, length)})


def tail(log: str, length: int) -> str:
    """Cut a log as Nova does: what follows the last line's end counts as a line, and -1 leaves out the first."""
    return "\n".join(log.split("\n")[-length:]) if length else ""


def _length(options: Any) -> int | None:
    if not isinstance(options, dict):
        raise invalid("os-getConsoleOutput", options, f"{options} is not of type 'object'")
    for key in options:
        if key != "length":
            why = f"Additional properties are not allowed ('{key}' was unexpected)"
            raise invalid("os-getConsoleOutput", options, why)
    length = options.get("length")
    if length is None:
        return None
    if not re.fullmatch("-?[0-9]+", str(length)):
        raise invalid("length", length, f"'{length}' does not match '^-?[0-9]+$'")
    if int(length) < -1:
        raise invalid("length", length, f"{length} is less than the minimum of -1")
    return int(length)


def _kind(options: Any) -> str:
    if "type" not in options:
        raise invalid("reboot", options, "'type' is a required property")
    kind = options["type"]
    if kind not in REBOOTS:
        raise invalid("type", kind, f"'{kind}' is not one of {REBOOTS}")
    return str(kind).upper()
