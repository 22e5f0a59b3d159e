"""haos's real cloud adapter, over real HTTP, against the lab's API in this process; nodes and time are faked.

Every request is counted where it arrives, and can be tampered with there: see `stumbles`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import requests

from haos.adapters import cloud_parse as parse
from haos.adapters.connect import connect
from haos.core.model import Instance, Port
from haos.errors import HaosError
from haos.lab.api import PASSWORD, Cloud, howto
from haos.lab.api.routing import Request, Response
from haos.lab.model import IdleWorld
from haos.workflow.context import Context
from tests.fakes import FakeFleet, FakeGuardian, FakeNode, FakeObserver, Quiet, World

TABLES = ("ports", "security_groups", "security_group_rules", "floatingips")
"""What haos writes to."""
UNCOMPARED = ("revision_number", "updated_at", "created_at")
CLOUDS = """
clouds:
  lab:
    auth: {{auth_url: '{url}/identity/v3', username: demo, password: {password}, project_name: demo,
            user_domain_name: Default, project_domain_name: Default}}
    region_name: RegionOne
"""
NAMES = ("ha_first", "ha_second", "observer")
STORED = (bool, str, int, float, type(None), dict, set, list)
"""What the fakes keep their state in."""
GIVE_UP_S = 20.0
"""For what is awaited between the two ends of this process."""

Row = tuple[str, str]
"""A table, or "nodes", and the id of what is in it."""
State = Mapping[Row, Any]
Command = Callable[[Context], object]
Tamper = Callable[["WatchedCloud", int, Request], Response | None]
"""Answers request number so and so (from 1 on) in its own way; None hangs up."""


class WatchedCloud(Cloud):
    """The lab's cloud, one request at a time, each numbered and given to who tampers with it."""

    def __init__(self) -> None:
        ids = {name: f"00000000-0000-4000-8000-00000000000{number}" for number, name in enumerate(NAMES, start=1)}
        super().__init__(howto(server_ids=ids), IdleWorld())
        self.seen: list[tuple[str, str]] = []  # method and path
        self.tamper: Tamper | None = None
        self.late: list[Request] = []  # what is done only when the next request has been
        self.stalled_at: int | None = None  # the client does not wait for the answer to this one
        self.hung_up = threading.Event()  # set when it has not waited
        self.dealt_with = threading.Event()  # set when that one was dealt with
        self._turn = threading.Lock()

    def answer(self, request: Request) -> Response | None:
        with self._turn:
            self.seen.append((request.method, request.path))
            late, self.late = self.late, []
            if self.tamper is None:
                return super().answer(request)
            response = self.tamper(self, len(self.seen), request)
            self.do(late)
            if self.stalled_at == len(self.seen):
                self.dealt_with.set()
            return response

    def genuine(self, request: Request) -> Response | None:
        """Answer as if nothing were wrong."""
        return super().answer(request)

    def do(self, late: list[Request]) -> None:
        """Do what is overdue."""
        for request in late:
            super().answer(request)

    def begin(self, tamper: Tamper | None, stalled_at: int | None) -> None:
        """Count from one."""
        self.seen, self.tamper, self.stalled_at = [], tamper, stalled_at
        self.hung_up.clear()
        self.dealt_with.clear()

    def end(self) -> None:
        """Be an ordinary cloud again."""
        with self._turn:
            self.tamper = self.stalled_at = None
            late, self.late = self.late, []
            self.do(late)

    def expire_tokens(self) -> None:
        """Make every token given out so far worthless."""
        self._tokens.expire_all()

    def state(self) -> dict[Row, Any]:
        """Return all that haos could have changed."""
        return {
            (table, doc["id"]): {key: value for key, value in doc.items() if key[0] != "_" and key not in UNCOMPARED}
            for table in TABLES
            for doc in self._store.all(table)
        }

    def saved(self) -> Callable[[], None]:
        """Return what puts everything back as it is now."""
        tables = {name: dict(table) for name, table in self._store._tables.items()}  # no document is ever changed

        def back() -> None:
            self._store._tables = {name: dict(table) for name, table in tables.items()}

        return back

    def ports(self) -> dict[str, Port]:
        """Return every port as haos reads it."""
        return {doc["id"]: parse.port(doc) for doc in self._store.all("ports")}


class LivePorts(dict[str, Port]):
    """The lab's ports as the fakes' World has them, always as they are now."""

    def __init__(self, cloud: WatchedCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def values(self) -> Any:
        return self._cloud.ports().values()


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    said: str
    requests: int


@dataclass
class Bed:
    """One cloud with its nodes."""

    cloud: WatchedCloud
    config: Path
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.world.ports = LivePorts(self.cloud)
        ports = list(self.cloud.ports().values())
        for last, name in enumerate(NAMES, start=32):
            address = ip_address(f"10.200.51.{last}")
            port = next(port for port in ports if address in [fixed.address for fixed in port.fixed_ips])
            instance = Instance(port.device_id, name, "ACTIVE", port.project_id, fixed=(address,))
            self.world.instances[instance.id] = instance
            self.world.nodes[instance.id] = FakeNode(self.world, instance, port.mac, address)

    def state(self) -> State:
        """Return cloud and nodes, without what only counts changes and dates them."""
        nodes = {("nodes", node.instance.name): node.snapshot() for node in self.world.nodes.values()}
        return {**self.cloud.state(), **nodes}

    def saved(self) -> Callable[[], None]:
        """Return what puts cloud and nodes back as they are now."""
        parts = (self.world, *self.world.nodes.values())
        kept = [{key: copy(value) for key, value in vars(part).items() if type(value) in STORED} for part in parts]
        cloud = self.cloud.saved()

        def back() -> None:
            cloud()
            for part, values in zip(parts, kept, strict=True):
                vars(part).update({key: copy(value) for key, value in values.items()})

        return back

    @contextmanager
    def context(self) -> Iterator[Context]:
        """Log in, and have all that a workflow needs; haos's pauses pass on the fakes' clock."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("haos.adapters.cloud_rest._clock", self.world.clock)
            api = connect(["--os-cloud", "lab"], config_files=[self.config])
            fleet = FakeFleet(self.world, FakeObserver(self.world))
            try:
                yield Context(api, fleet, self.world.clock, Quiet(), FakeGuardian(self.world))
            finally:
                api._neutron._adapter.session.session.close()

    def run(self, command: Command, tamper: Tamper | None = None, stalled_at: int | None = None) -> Outcome:
        """Run a command as the command line does; a bug is raised."""
        self.cloud.begin(tamper, stalled_at)
        code, said = 0, ""
        try:
            with self.context() as ctx:
                command(ctx)
        except HaosError as error:
            code, said = error.exit_code, f"{error} ({error.hint})"
        finally:
            self.cloud.end()
        return Outcome(code, said, len(self.cloud.seen))


@contextmanager
def made_bed(folder: Path) -> Iterator[Bed]:
    """Serve a cloud whose requests come one after the other."""
    cloud = WatchedCloud()
    cloud.power_on()
    server = cloud.serve()
    config = folder / "clouds.yaml"
    config.write_text(CLOUDS.format(url=server.url, password=PASSWORD))
    bed = Bed(cloud, config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haos.workflow.parallel.MAX_THREADS", 1)
        patch.setattr("requests.adapters.HTTPAdapter.send", _impatient(cloud))
        try:
            with bed.context() as ctx:
                ctx.cloud.groups_named("default")  # Neutron makes a project's own one at the first look
            yield bed
        finally:
            server.close()


def _impatient(cloud: WatchedCloud) -> Callable[..., requests.Response]:
    """Return requests' way to send, which does not wait for the answer that is to be waited for in vain."""
    send = requests.adapters.HTTPAdapter.send

    def sent(self: requests.adapters.HTTPAdapter, request: Any, **options: Any) -> requests.Response:
        stalled = cloud.stalled_at == len(cloud.seen) + 1
        if stalled:
            options["timeout"] = (GIVE_UP_S, 0.001)
        try:
            return send(self, request, **options)
        except requests.exceptions.ReadTimeout:
            cloud.hung_up.set()
            assert not stalled or cloud.dealt_with.wait(GIVE_UP_S), "the request did not arrive"
            raise

    return sent
