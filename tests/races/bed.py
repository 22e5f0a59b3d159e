"""A cloud for many runs of haos at once: the lab's real API over HTTP, nodes that are in memory alone.

Each run has a session, a token and connections of its own, as on so many laptops.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier, Lock
from typing import Any, TypeVar

from haos.adapters.clock import SystemClock
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect
from haos.core.model import Instance, Pair
from haos.errors import HaosError
from haos.lab.api import PASSWORD, Cloud, InstanceSeed, NicSeed, Server, howto
from haos.lab.model import IdleWorld
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import teardown
from tests.contract.client import Answer, Client, Credentials
from tests.fakes import FakeGuardian, FakeNode, FakeObserver, Quiet, World
from tests.races.careless import Careless

T = TypeVar("T")
Nodes = tuple[str, str]
"""The names of two instances that are to be a pair."""
State = dict[str, Any]
NETWORK = "ha_lab"
PAIRS = 20
WORK_S = 0.1
"""What each step on a node takes: a quick one on a real node."""
QUOTAS = {"port": 500, "security_group": 100, "security_group_rule": 1000}

_TURN = Lock()

CLOUDS = """
clouds:
  races:
    auth: {{auth_url: '{url}', username: demo, password: '{password}', project_name: demo,
           user_domain_name: Default, project_domain_name: Default}}
    region_name: RegionOne
"""


@dataclass(frozen=True)
class Ended:
    """How a run of haos ended; the text says why."""

    code: int
    text: str = ""


class Fleet:
    """The fleet of one run: the nodes are the same for all runs, by instance id."""

    def __init__(self, nodes: dict[str, FakeNode]) -> None:
        self._nodes = nodes

    def node(self, instance: Instance) -> FakeNode:
        return self._nodes[instance.id]

    def observer(self, instance: Instance) -> FakeObserver:
        return FakeObserver(self._nodes[instance.id].world)

    def awaited(self, instance: Instance) -> None:
        return None

    def renew(self, instance: Instance) -> None:
        return

    def close(self) -> None:
        return


@dataclass
class Bed:
    """The cloud, as a race uses it; `pairs` are its nodes, two by two."""

    url: str  # of the cloud's front door, without a path
    clouds_yaml: Path
    admin: Client
    pairs: Sequence[Nodes]
    careless: Careless | None = None
    nodes: dict[str, FakeNode] = field(default_factory=dict)  # by instance id
    run_s: float = 2.0
    """How long a create goes on here, about."""

    def cloud(self) -> OpenStackCloud:
        """Log in anew."""
        return connect(["--os-cloud", "races"], config_files=[self.clouds_yaml])

    def create(self, nodes: Nodes, name: str) -> Ended:
        """Run `haos create --no-verify --no-observer`."""
        request = CreateRequest(NETWORK, nodes, name, verify=False, watched=False)
        return self._ended(lambda ctx: create(prepare(request, ctx), ctx, lambda _: None))

    def teardown(self, nodes: Nodes, name: str) -> Ended:
        """Run `haos teardown --purge`."""
        return self._ended(lambda ctx: teardown(name, purge=True, ctx=ctx))

    def _ended(self, run: Callable[[Context], object]) -> Ended:
        fleet: Any = Fleet(self.nodes)
        world = next(iter(self.nodes.values())).world
        try:
            run(Context(self.cloud(), fleet, SystemClock(), Quiet(), FakeGuardian(world)))
        except HaosError as error:
            return Ended(error.exit_code, error.reason)
        return Ended(0)

    def state(self) -> State:
        """Return ports, groups and nodes without what changes by itself."""
        ports = self.admin.neutron("GET", "/ports").body["ports"]
        groups = self.admin.neutron("GET", "/security-groups").body["security_groups"]
        return {
            **{port["id"]: _steady(port) for port in ports},
            **{group["id"]: _steady(group) for group in groups},
            **{node.instance.name: node.snapshot() for node in self.nodes.values()},
        }

    def port(self, port_id: str) -> dict[str, Any]:
        """Return a port as it is."""
        return dict(self.admin.neutron("GET", f"/ports/{port_id}").body["port"])

    def port_of(self, name: str) -> dict[str, Any]:
        """Return an instance's port."""
        [server] = self.admin.nova("GET", f"/servers?name=^{name}$").body["servers"]
        [port] = self.admin.neutron("GET", f"/ports?device_id={server['id']}").body["ports"]
        return dict(port)

    def reservations(self) -> list[dict[str, Any]]:
        """Return the reservation ports."""
        return list(self.admin.neutron("GET", "/ports?device_owner=haos:vip").body["ports"])

    def complaint(self, node: str, pairs: Sequence[Pair]) -> str:
        """Say what a node lacks of these pairs, all of its own; "" for nothing."""
        found = next(one for one in self.nodes.values() if one.instance.name == node)
        have = {name: config.vip for name, config in found.files.items()}
        if have != {pair.name: pair.vip for pair in pairs}:
            return f"has files of {have}"
        return "" if found.daemon and found.running == set(have) else f"runs {found.running}"

    def left(self, before: State) -> list[str]:
        """Tell in what the state differs from what it was."""
        after = self.state()
        return [
            f"{key} is {after.get(key)}, was {before.get(key)}"
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key)
        ]

    def forget_requests(self) -> None:
        """Count requests from zero."""
        self.admin("POST", f"{self.url}/lab/requests/reset")

    def refusals(self, status: int) -> int:
        """Return how many requests were refused so."""
        requests = self.admin("GET", f"{self.url}/lab/requests").body["requests"]
        return sum(one["status"] == status for one in requests)


def _steady(body: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in body.items() if key not in ("revision_number", "updated_at")}
    if "security_group_rules" in kept:
        kept["security_group_rules"] = sorted(rule["id"] for rule in kept["security_group_rules"])
    return kept


def at_once(runs: Sequence[Callable[[], T]]) -> list[T]:
    """Begin all at the same moment, each in a thread of its own; the first error is raised once all have ended."""
    gate = Barrier(len(runs))

    def one(run: Callable[[], T]) -> T:
        gate.wait(60)
        return run()

    with ThreadPoolExecutor(len(runs)) as pool:
        futures = [pool.submit(one, run) for run in runs]
    return [future.result() for future in futures]


def named(count: int) -> list[Nodes]:
    """Return the names of so many pairs of nodes."""
    return [(f"n{pair:02}a", f"n{pair:02}b") for pair in range(count)]


def written(folder: Path, url: str) -> Path:
    """Write the configuration of a cloud."""
    found = folder / "clouds.yaml"
    found.write_text(CLOUDS.format(url=f"{url}/identity/v3", password=PASSWORD))
    return found


class Shared(Client):
    """A client for many threads: one request at a time."""

    def __call__(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        with _TURN:
            return super().__call__(method, url, body, **headers)


def admin_of(url: str) -> Client:
    """Log in as the cloud's administrator."""
    admin = Shared(f"{url}/identity/v3")
    admin.login(Credentials(f"{url}/identity/v3", "admin", PASSWORD, "demo"))
    return admin


@contextmanager
def made_bed(folder: Path, *, pairs: int = PAIRS, careless: bool = False) -> Iterator[Bed]:
    """Serve a cloud with so many pairs of nodes."""
    seed = howto()
    nodes = tuple(
        InstanceSeed(name, "demo", (NicSeed(NETWORK),), ("ssh-icmp",)) for two in named(pairs) for name in two
    )
    cloud = Cloud(replace(seed, instances=(*seed.instances, *nodes)), IdleWorld())
    cloud.power_on()
    neglect = Careless(cloud) if careless else None
    server = Server(neglect.answer if neglect else cloud.answer, "127.0.0.1", 0)
    admin = admin_of(server.url)
    admin("PUT", f"{server.url}/lab/quotas", {admin.project_id: QUOTAS})
    bed = Bed(server.url, written(folder, server.url), admin, named(pairs), neglect)
    try:
        furnish(bed, bed.pairs)
        yield bed
    finally:
        admin.close()
        cloud.settle()
        server.close()


def furnish(bed: Bed, pairs: Sequence[Nodes]) -> None:
    """Put a node in memory behind every instance; those of one pair have a world of their own, as VRRP has."""
    cloud = bed.cloud()
    found = cloud.instances([name for two in pairs for name in two])
    for two in pairs:
        world = World()
        world.effects.strike = lambda _, effect, when: time.sleep(WORK_S) if when == "before" else None
        for name in two:
            [instance] = found[name]
            seen = cloud.port(bed.port_of(name)["id"])
            world.instances[instance.id], world.ports[seen.id] = instance, seen
            node = FakeNode(world, instance, seen.mac, seen.fixed_ips[0].address, package="2.2.7")
            world.nodes[instance.id] = bed.nodes[instance.id] = node
