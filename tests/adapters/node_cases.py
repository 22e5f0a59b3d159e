"""What the node tests share: two pairs, a foreign configuration, and the usual steps."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from haos.adapters.node import Node
from haos.core.keepalived import main_file
from haos.core.model import Address, Member, Pair, Role, Timing
from haos.core.node import NodeConfig, Removal
from haos.core.nodeconf import node_config
from tests.adapters.node_sandbox import MAC, Sandbox

SOURCE, PEER = ip_address("10.200.51.32"), ip_address("10.200.51.33")
MEMBERS = (
    Member("913c4131-0cc3-4df4-ad95-273cd2f8475a", 240),
    Member("e220e2d9-f4de-4a46-92fa-bb767042c85e", 230),
)
TIMING = Timing(0.05, 0)
WEB = Pair("web", "network", "project", ip_address("10.200.51.9"), 7, MEMBERS, timing=TIMING)
DB = replace(WEB, name="db.1_x-y", vip=ip_address("10.200.51.10"), vrid=8)
MAIN = main_file()
FOREIGN = """\
! by hand
vrrp_instance VI_1 {
    interface ens3
    virtual_router_id 51
    priority 100
    advert_int 1
    unicast_src_ip 10.200.51.32
    unicast_peer { 10.200.51.1 dev ens3 }
    virtual_ipaddress { 10.200.51.77 }
}
"""


def config_for(node: Node, pair: Pair = WEB, source: Address = SOURCE, peer: Address = PEER) -> NodeConfig:
    return node_config(pair, node.facts(MAC), 0, source, (peer,))


def bring_up(node: Node, box: Sandbox, pair: Pair = WEB) -> None:
    node.configure(config_for(node, pair))
    node.activate()

    def is_up() -> bool:
        sight = node.sight(pair.name, pair.vip)  # keepalived calls itself Active a moment before it adds the VIP
        return sight.role is Role.ACTIVE and sight.holds_vip

    box.until(is_up, f"{pair.name} Active")


def spoilt(config: NodeConfig, old: str, new: str) -> NodeConfig:
    return replace(config, files=tuple(replace(file, text=file.text.replace(old, new)) for file in config.files))


def removal(pair: Pair = WEB, *, purge: bool = False) -> Removal:
    return Removal(pair.name, pair.vip, "ens3", purge_package=purge)


def daemon(box: Sandbox) -> str:
    return box.sh("pid=$(cat /run/fake/pid); echo $pid $(cat /proc/$pid/task/$pid/children)")
