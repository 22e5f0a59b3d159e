"""The bed on a running lab: two pairs of nodes are real instances, the others are on paper there and in memory here.

Runs on real nodes are processes of their own, as users start them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from haos.core.model import Pair
from haos.lab import control
from tests.contract.client import Client
from tests.crash.bench import INSTALL, PURGE
from tests.crash.state import Watcher
from tests.lab.main_job import NODES, eventually, haos, on
from tests.races.bed import NETWORK, PAIRS, QUOTAS, Bed, Ended, Nodes, State, admin_of, furnish, named, written

REAL: tuple[Nodes, Nodes] = ((NODES[0], NODES[1]), ("ha_third", "ha_fourth"))
RUN_S = 4.0
RUN_TIMEOUT_S = 300.0
SETTLED_S = 20.0
"""How long what ends by itself on a node may take."""

LOOK = """sudo sh -c '
grep -c "^include /etc/keepalived/haos.d/" /etc/keepalived/keepalived.conf
ls /etc/systemd/system/keepalived.service.d | wc -l
ls /etc/keepalived/haos.d/*.conf | wc -l
systemctl show keepalived -p ActiveState --value
rm -f /tmp/keepalived.json
kill -s $(keepalived --signum=JSON) $(systemctl show -p MainPID --value keepalived)
tries=100
until [ "$(tail -c 2 /tmp/keepalived.json 2>/dev/null | tr -d "\\n")" = "]" ] || [ $tries -eq 0 ]; do
    tries=$((tries - 1)); sleep 0.05
done
tr -d "\\n" </tmp/keepalived.json; rm -f /tmp/keepalived.json'
"""
"""Includes, drop-ins, pairs' files, the daemon's state, and what it says that it runs."""


class FourNodes(Watcher):
    """Reads the state of the real nodes."""

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(name for two in REAL for name in two)


@dataclass
class LabBed(Bed):
    """A bed some of whose nodes are real."""

    lab: str = ""
    watcher: Watcher | None = None
    real: Sequence[Nodes] = field(default=REAL)

    def create(self, nodes: Nodes, name: str) -> Ended:
        """Run `haos create`."""
        if nodes not in self.real:
            return super().create(nodes, name)
        where = ("--network", NETWORK, "--nodes", ",".join(nodes), "--name", name)
        return self._run("create", *where, "--no-verify", "--no-observer")

    def teardown(self, nodes: Nodes, name: str) -> Ended:
        """Run `haos teardown --purge`."""
        return self._run("teardown", name, "--purge") if nodes in self.real else super().teardown(nodes, name)

    def _run(self, *argv: str) -> Ended:
        ended = haos(self.lab, *argv, code=None, timeout_s=RUN_TIMEOUT_S)
        return Ended(ended.returncode, ended.stderr)

    def state(self) -> State:
        """Return what Bed does, and all of the real nodes."""
        assert self.watcher is not None
        return {**super().state(), **dict.fromkeys(self.watcher.look(), "there")}

    def left(self, before: State) -> list[str]:
        """Tell in what the state differs from what it was, once nothing changes by itself any more."""
        seen: list[list[str]] = []

        def is_as_before() -> bool:
            seen.append(super(LabBed, self).left(before))
            return not seen[-1]

        eventually(is_as_before, SETTLED_S)
        return seen[-1]

    def complaint(self, node: str, pairs: Sequence[Pair]) -> str:
        """Say what a node lacks of these pairs; "" for nothing."""
        if not any(node in two for two in self.real):
            return super().complaint(node, pairs)
        *counts, daemon = on(self.lab, node, LOOK).splitlines()
        if counts != ["1", "1", str(len(pairs)), "active"]:
            return f"has includes, drop-ins, files, daemon: {counts}, of {len(pairs)} pairs"
        runs = sorted((one["data"]["vrid"], one["data"]["vips"][0].split()[0]) for one in json.loads(daemon))
        wanted = sorted((pair.vrid, str(pair.vip)) for pair in pairs)
        return "" if [(vrid, vip.partition("/")[0]) for vrid, vip in runs] == wanted else f"runs {runs}, not {wanted}"


@contextmanager
def lab_bed(lab: str, *, pairs: int = PAIRS) -> Iterator[LabBed]:
    """Have a bed on a running lab, and leave that as it was."""
    url = control.status(lab).url
    admin, on_paper = admin_of(url), named(pairs)[len(REAL) :]
    with (
        closing(admin),  # last of all: taking the instances away asks it, too
        tempfile.TemporaryDirectory(prefix="races-") as folder,
        _quotas(admin, url),
        _instances(lab, admin, on_paper),
    ):
        watcher = FourNodes(lab, Path(folder))
        try:
            bed = LabBed(url, written(Path(folder), url), admin, [*REAL, *on_paper], lab=lab, watcher=watcher)
            bed.run_s = RUN_S
            furnish(bed, on_paper)
            yield bed
        finally:
            watcher.close()


@contextmanager
def _quotas(admin: Client, url: str) -> Iterator[None]:
    before = admin.neutron("GET", f"/quotas/{admin.project_id}").body["quota"]
    admin("PUT", f"{url}/lab/quotas", {admin.project_id: QUOTAS})
    try:
        yield
    finally:
        admin("PUT", f"{url}/lab/quotas", {admin.project_id: {kind: before[kind] for kind in QUOTAS}})


@contextmanager
def _instances(lab: str, admin: Client, on_paper: Sequence[Nodes]) -> Iterator[None]:
    """Have two more real instances, keepalived on all four, and those on paper; take all of it away again."""
    real = [name for two in REAL for name in two]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(partial(control.add_instance, lab), REAL[1]))
            list(pool.map(lambda name: on(lab, name, INSTALL), real))
        for name in (name for two in on_paper for name in two):
            body = {"name": name, "networks": [NETWORK], "groups": [control.GROUP], "on_paper": True}
            control.lab_request(lab, "POST", "/lab/instances", body)
        yield
    finally:
        for name in NODES:
            on(lab, name, PURGE)
        for name in (*REAL[1], *(name for two in on_paper for name in two)):
            _delete(admin, name)


def _delete(admin: Client, name: str) -> None:
    for server in admin.nova("GET", f"/servers?name=^{name}$").body["servers"]:
        ports = admin.neutron("GET", f"/ports?device_id={server['id']}").body["ports"]
        for port in ports:
            for floating in admin.neutron("GET", f"/floatingips?port_id={port['id']}").body["floatingips"]:
                admin.neutron("DELETE", f"/floatingips/{floating['id']}")
        admin.nova("DELETE", f"/servers/{server['id']}")
        gone = eventually(lambda: admin.nova("GET", f"/servers/{server['id']}").status == 404)  # noqa: B023
        assert gone, f"{name} does not go"
        for port in ports:
            admin.neutron("DELETE", f"/ports/{port['id']}")
