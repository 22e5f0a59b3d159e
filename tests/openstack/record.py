"""python -m tests.openstack exec -- python -m tests.openstack.record: record fixtures/{keystone,nova,neutron} anew.

It makes the howto's pair as the project's ordinary user, writes down what the real services answer, and removes all
of it. `OS_CLIENT_CONFIG_FILE` names the cloud, as for tests/contract. A second recording differs in nothing.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.contract.client import Answer, Client
from tests.contract.places import Network, remove_network
from tests.contract.servers import act, remove_server, settled, wanted
from tests.contract.side import Side, openstack_side
from tests.openstack.stable import BASE, Stable

FIXTURES = Path(__file__).parents[2] / "fixtures"
LOCK = Path(__file__).parent / "bed" / "requirements.lock"
MARK = "<!-- recorded -->\n"

PROJECT, USER = "26cfbd9d4ee64d8faecd287bb39d3870", "11111111aaaa4aaa8aaa000000000001"
NETWORK, SUBNET = "56412e9d-045b-453a-8e09-e3584a8ebaf4", "9a027a94-e688-45cb-a653-e223ccc9f72f"
GROUP = "bda9b48c-7505-4e2f-90db-6a2e1dab321d"
SERVERS = {
    "observer": ("1f9badd7-13a2-4553-86d1-3aae10ca29f9", "db8fa14d-5800-4db5-8ad7-fe9ad1eaef37", 34),
    "ha_first": ("685b6cdc-ff7f-4d82-8993-a8ca1ebf95b1", "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", 32),
    "ha_second": ("da2c4c9c-2581-474e-8caf-abc443a1d29e", "e220e2d9-f4de-4941-92e0-640ee352aa4f", 33),
}
"""Name -> the ids of the server and its port in the fixtures, and the last part of its addresses."""
MACS = {
    "ha_first": "fa:16:3e:8d:dc:bb",
    "network:router": "fa:16:3e:c9:e0:b1",
    "observer": "fa:16:3e:08:e6:15",
    "ha_second": "fa:16:3e:f3:a9:a3",
}
"""Server, or whose else a port is -> the MAC in the fixtures, in the order in which they stand there."""
TAGS = {"OpenStack_API_Version": "compute 2.26"}
NOBODY = "11111111-2222-4333-8444-555555555555"
STALE = 7
PAIRS = 11
"""One more than a port holds."""


class Recorder:
    """Makes the scenario, asks, and writes down."""

    def __init__(self, side: Side, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.stable = Stable()
        self.written: list[str] = []
        self.side = side
        self.member, self.admin = side.login("member"), side.login("admin")

    def write(self, name: str, body: Any) -> None:
        """Write a body down."""
        path = self.folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.stable.text(body))
        self.written.append(name)

    def refused(self, name: str, answer: Answer) -> None:
        """Write down a refusal, whose status the name begins with."""
        assert answer.status == int(Path(name).name[:3]), answer
        self.write(name, answer.body)

    def post(self, client: Client, kind: str, **values: Any) -> dict[str, Any]:
        """Make something of Neutron's, for as long as the recording takes."""
        path = f"/{kind.replace('_', '-')}s"
        made = client.neutron("POST", path, {kind: values})
        assert made.status == 201, made
        doc: dict[str, Any] = made.body[kind]
        self.stack.callback(self.admin.neutron, "DELETE", f"{path}/{doc['id']}")
        return doc


def keystone(rec: Recorder) -> None:
    """Record logins, right and wrong."""
    who, nobody = rec.side.credentials["member"], rec.side.twin(rec.member, "")
    body = nobody.keystone("POST", "/auth/tokens", who.body()).body
    for service in body["token"]["catalog"]:
        for end in service["endpoints"]:
            kind = service["type"]
            bare = re.sub(r"/v[\d.]+/?$", "", end["url"])
            rec.stable.know(bare, f"{BASE}/{kind}")
    rec.stable.know(body["token"]["project"]["id"], PROJECT)
    rec.stable.know(body["token"]["user"]["id"], USER)
    body["token"]["project"]["name"] = body["token"]["user"]["name"] = "demo"
    rec.write("keystone/token", body)
    rec.write("keystone/v3", nobody.keystone("GET", "").body)
    wrong = who.body()
    wrong["auth"]["identity"]["password"]["user"]["password"] = "wrong"
    rec.refused("keystone/401", nobody.keystone("POST", "/auth/tokens", wrong))
    gone = {"methods": ["application_credential"], "application_credential": {"id": "0" * 32, "secret": "x"}}
    rec.refused("keystone/404-credential", nobody.keystone("POST", "/auth/tokens", {"auth": {"identity": gone}}))


def network(rec: Recorder) -> Network:
    """Make the howto's network with its router, and record it."""
    made = rec.member.neutron("POST", "/networks", {"network": {"name": "ha_lab"}}).body["network"]
    rec.stack.callback(remove_network, rec.admin, made["id"])
    pool = {"start": "10.200.51.32", "end": "10.200.51.254"}
    values = {"ip_version": 4, "cidr": "10.200.51.0/24", "name": "ha_lab", "allocation_pools": [pool]}
    values |= {"network_id": made["id"], "dns_nameservers": ["8.8.4.4", "8.8.8.8"]}
    subnet = rec.member.neutron("POST", "/subnets", {"subnet": values}).body["subnet"]
    rec.stable.know(made["id"], NETWORK)
    rec.stable.know(subnet["id"], SUBNET)
    [public] = rec.member.neutron("GET", "/networks?router:external=true").body["networks"]
    router = rec.post(rec.member, "router", name="ha_lab", external_gateway_info={"network_id": public["id"]})
    path = f"/routers/{router['id']}"
    joined = rec.member.neutron("PUT", f"{path}/add_router_interface", {"subnet_id": subnet["id"]})
    assert joined.status == 200, joined
    leave = f"{path}/remove_router_interface"
    rec.stack.callback(rec.admin.neutron, "PUT", leave, {"subnet_id": subnet["id"]})
    rec.write("neutron/networks", rec.member.neutron("GET", f"/networks?id={made['id']}").body)
    rec.write("neutron/subnets", rec.member.neutron("GET", f"/subnets?network_id={made['id']}").body)
    return Network(made["id"], subnet["id"], "ha_lab")


def group(rec: Recorder) -> str:
    """Make the howto's security group, and record it and a new one."""
    made = rec.post(rec.member, "security_group", name="ssh-icmp")
    rec.stable.know(made["id"], GROUP)
    for more in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
        rec.post(rec.member, "security_group_rule", security_group_id=made["id"], direction="ingress", **more)
    rec.write("neutron/security-groups", rec.member.neutron("GET", f"/security-groups?id={made['id']}").body)
    new = rec.post(rec.member, "security_group", name="haos-web", description="haos:vip x")
    rec.write("neutron/group", {"security_group": new})
    return str(made["id"])


def servers(rec: Recorder, where: Network, group_id: str) -> None:
    """Make the three servers with their floating IPs, the pair on two hosts, and record them and the ports."""
    [public] = rec.member.neutron("GET", "/networks?router:external=true").body["networks"]
    apart = {"server_group": {"name": "haos-recording", "policies": ["anti-affinity"]}}
    apart_id = rec.member.nova("POST", "/os-server-groups", apart).body["server_group"]["id"]
    rec.stack.callback(rec.member.nova, "DELETE", f"/os-server-groups/{apart_id}")
    for name, (server_id, port_id, last) in SERVERS.items():
        fixed = [{"subnet_id": where.subnet_id, "ip_address": f"10.200.51.{last}"}]
        values = {"network_id": where.id, "fixed_ips": fixed, "security_groups": [group_id]}
        port = rec.post(rec.member, "port", mac_address=MACS[name], **values)
        floating = rec.post(rec.member, "floatingip", floating_network_id=public["id"], port_id=port["id"])
        hints = {} if name == "observer" else {"os:scheduler_hints": {"group": apart_id}}
        rec.stable.know(_server(rec, where, name, port["id"], hints), server_id)
        rec.stable.know(port["id"], port_id)
        rec.stable.know(floating["floating_ip_address"], f"172.24.4.{last}")
    listed = rec.member.nova("GET", "/servers/detail", **TAGS).body["servers"]
    mine = [server for server in listed if where.name in server["addresses"] and server["name"] in SERVERS]
    rec.write("nova/servers", {"servers": mine})
    _ports(rec, where)


def _server(rec: Recorder, where: Network, name: str, port_id: str, hints: dict[str, Any]) -> str:
    body = {"server": wanted(rec.member, where, name=name, networks=[{"port": port_id}]), **hints}
    made = rec.member.nova("POST", "/servers", body, **TAGS)
    assert made.status == 202, made
    server_id = str(made.body["server"]["id"])
    rec.stack.callback(remove_server, rec.member, server_id)
    settled(rec.member, server_id, "ACTIVE")
    return server_id


def _ports(rec: Recorder, where: Network) -> None:
    """Record the network's ports: those of the servers and the router's."""
    ports = rec.member.neutron("GET", f"/ports?network_id={where.id}").body["ports"]
    for port in ports:
        rec.stable.know(port["mac_address"], _mac(port))
    turn = list(MACS.values())
    rec.write("neutron/ports", {"ports": sorted(ports, key=lambda port: turn.index(_mac(port)))})


def _mac(port: dict[str, Any]) -> str:
    """Return the MAC that a port has in the fixtures: Neutron draws those of its own ports by lot."""
    owner = port["device_owner"].partition("_")[0]
    return MACS[owner] if owner in MACS else str(port["mac_address"])


def refusals(rec: Recorder, where: Network, group_id: str) -> None:
    """Record what is refused of ports and groups, and a reservation that is not."""
    fixed = [{"subnet_id": where.subnet_id, "ip_address": "10.200.51.2"}]
    values = {"name": "haos-vip-web", "mac_address": "00:00:5e:00:01:01", "security_groups": []}
    values |= {"device_owner": "haos:vip", "device_id": "haos-web", "description": "haos/1 n=web"}
    port = rec.post(rec.member, "port", network_id=where.id, fixed_ips=fixed, **values)
    rec.write("neutron/reservation", {"port": port})

    def ask(**more: Any) -> Answer:
        return rec.member.neutron("POST", "/ports", {"port": {"network_id": where.id, **more}})

    def amend(of: str = port["id"], if_match: int | None = None, **more: Any) -> Answer:
        headers = {} if if_match is None else {"If_Match": f"revision_number={if_match}"}
        return rec.member.neutron("PUT", f"/ports/{of}", {"port": more}, **headers)

    rec.refused("neutron/409-ip", ask(fixed_ips=fixed))
    rec.refused("neutron/409-mac", ask(mac_address=values["mac_address"]))
    rec.refused("neutron/412", amend(if_match=STALE, name="x"))
    pairs = [{"ip_address": f"10.200.51.{number}"} for number in range(100, 100 + PAIRS)]
    rec.refused("neutron/400-pairs", amend(allowed_address_pairs=pairs))
    rec.refused("neutron/409-group-in-use", rec.member.neutron("DELETE", f"/security-groups/{group_id}"))
    shared = rec.post(rec.admin, "network", name="haos-recording", shared=True)
    foreign = rec.post(rec.member, "port", network_id=shared["id"])
    rec.refused("neutron/403-pairs", amend(foreign["id"], allowed_address_pairs=pairs[:1]))
    _quotas(rec, ask)
    rec.write("neutron/extensions", rec.member.neutron("GET", "/extensions").body)
    rec.stable.know(NOBODY, NOBODY)
    rec.refused("nova/404", rec.member.nova("GET", f"/servers/{NOBODY}"))
    [server, *_] = rec.member.nova("GET", "/servers").body["servers"]
    rec.refused("nova/403", act(rec.side.login("reader"), server["id"], {"os-getConsoleOutput": {}}))


def _quotas(rec: Recorder, ask: Callable[..., Answer]) -> None:
    """Record the quota with 500 ports, Neutron's own default, and a port that is one too many."""
    path = f"/quotas/{rec.member.project_id}"
    ports = rec.admin.neutron("GET", f"{path}/details.json").body["quota"]["port"]

    def limit(to: int) -> None:
        assert rec.admin.neutron("PUT", path, {"quota": {"port": to}}).status == 200

    rec.stack.callback(limit, ports["limit"])
    limit(500)
    rec.write("neutron/quota", rec.member.neutron("GET", f"{path}/details.json").body)
    limit(ports["used"])
    rec.refused("neutron/409-quota", ask())


def origin(rec: Recorder) -> None:
    """Write down of what these are the answers."""
    pinned = dict(line.strip().split("==") for line in LOCK.read_text().splitlines() if "==" in line)
    versions = ", ".join(f"{name} {pinned[name]}" for name in ("keystone", "neutron", "nova"))
    backend = {"ovn": "OVN", "ovs": "Open vSwitch agents"}[os.environ.get("HAOS_OPENSTACK_BACKEND", "ovn")]
    names = textwrap.fill(", ".join(f"`{name}`" for name in sorted(rec.written)), 118)
    path = rec.folder / "ORIGIN.md"
    start, _, rest = path.read_text().partition(MARK)
    end = rest.partition(MARK)[2]
    what = f"Answers of OpenStack 2025.1 ({versions}) with {backend} to an ordinary member of a project, recorded by"
    path.write_text(
        f"{start}{MARK}{textwrap.fill(f'{what} `tests/openstack/record.py`:', 118)}\n{names}\n{MARK}{end}"
    )


def main() -> int:
    """Record everything."""
    with ExitStack() as stack:
        try:
            side = stack.enter_context(openstack_side())
        except LookupError as error:
            print(f"cannot record: {error}", file=sys.stderr)
            return 2
        rec = Recorder(side, FIXTURES, stack)
        keystone(rec)
        where, group_id = network(rec), group(rec)
        servers(rec, where, group_id)
        refusals(rec, where, group_id)
        origin(rec)
    return 0


if __name__ == "__main__":
    sys.exit(main())
