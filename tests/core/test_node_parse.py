"""The node scripts' output, parsed: recorded on a real instance, and spoilt in every way."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from haos.core.keepalived import PACKAGE_MARKER
from haos.core.model import Role
from haos.core.node import Sight, Survey
from haos.core.node_parse import (
    UnreadableError,
    os_name,
    parse_facts,
    parse_lines,
    parse_removed,
    parse_sight,
    parse_survey,
    parse_version,
)

FIXTURES = Path(__file__).parents[2] / "fixtures"
MAC = "fa:16:3e:00:51:20"


def recorded(name: str) -> str:
    return (FIXTURES / "host" / name).read_text()


def lines(seen: Mapping[str, str]) -> str:
    return "".join(f"{key} {base64.b64encode(text.encode()).decode()}\n" for key, text in seen.items()) + "end\n"


def altered(name: str, **changes: str | None) -> str:
    seen = {**dict(parse_lines(recorded(name))), **changes}
    return lines({key: text for key, text in seen.items() if text is not None})


def test_fresh_node() -> None:
    facts = parse_facts(recorded("facts-fresh.txt"), MAC.upper())
    assert facts.hostname == "ha-first"
    assert facts.os_name == "Debian GNU/Linux 12 (bookworm)"
    assert (facts.package_manager, facts.systemd, facts.keepalived) == ("apt", True, "2.2.7")
    assert (facts.interface, facts.addresses) == ("ens3", (ip_address("10.200.51.32"),))
    assert not facts.daemon_active
    assert facts.daemon_enabled
    assert (facts.main_config, facts.drop_in, facts.release_script) == (None, None, None)
    assert (facts.pair_files, facts.withdrawn, facts.package_by_haos) == ({}, frozenset(), False)


def test_node_with_a_pair() -> None:
    facts = parse_facts(recorded("facts-pair.txt"), MAC)
    assert facts.daemon_active
    assert set(facts.addresses) == {ip_address("10.200.51.32"), ip_address("10.200.51.9")}
    assert "vrrp_instance haos_web {" in facts.pair_files["web"]
    assert facts.withdrawn == frozenset()
    assert facts.main_config == (FIXTURES / "keepalived" / "main.conf").read_text()
    assert facts.drop_in == (FIXTURES / "keepalived" / "drop-in.conf").read_text()
    assert facts.release_script == (FIXTURES / "keepalived" / "release-vips").read_text()


def test_withdrawn_pair_is_seen_with_its_text() -> None:
    facts = parse_facts(recorded("facts-withdrawn.txt"), MAC)
    assert facts.withdrawn == {"web"}
    assert "vrrp_instance haos_web {" in facts.pair_files["web"]


def test_node_without_keepalived_or_the_port() -> None:
    text = altered("facts-fresh.txt", version=None, package_manager=None, systemd="no", markers=PACKAGE_MARKER)
    facts = parse_facts(text, "fa:16:3e:ff:ff:ff")
    assert (facts.keepalived, facts.package_manager, facts.interface, facts.addresses) == (None, None, None, ())
    assert not facts.systemd
    assert facts.package_by_haos


def device(name: str, index: int, *addresses: str, **more: Any) -> dict[str, Any]:
    infos = [{"family": "inet", "local": address, "scope": "global"} for address in addresses]
    return {"ifindex": index, "ifname": name, "address": MAC, "addr_info": infos, **more}


@pytest.mark.parametrize(
    ("devices", "chosen"),
    [
        ([device("ens3", 2, "10.0.0.1"), device("ens3.10", 3, "10.1.0.1", link="ens3")], "ens3"),
        ([device("ens3", 2, master="br0"), device("br0", 3, "10.0.0.1")], "br0"),
        ([device("vlan9", 2, "10.1.0.1", link="ens3"), device("ens3", 3, "10.0.0.1")], "ens3"),
        ([device("ens3", 2)], "ens3"),
        ([], None),
    ],
)
def test_the_ports_own_device_is_chosen(devices: list[dict[str, Any]], chosen: str | None) -> None:
    text = altered("facts-fresh.txt", addresses=json.dumps(devices))
    assert parse_facts(text, MAC).interface == chosen


def test_link_local_addresses_do_not_count() -> None:
    seen = device("ens3", 2, "10.0.0.1")
    seen["addr_info"].append({"family": "inet6", "local": "fe80::1", "scope": "link"})
    facts = parse_facts(altered("facts-fresh.txt", addresses=json.dumps([seen])), MAC)
    assert facts.addresses == (ip_address("10.0.0.1"),)


def test_files_of_others_may_hold_any_bytes() -> None:
    raw = b"# caf\xe9 \x00\n"
    text = recorded("facts-fresh.txt").replace("end\n", f"main_config {base64.b64encode(raw).decode()}\nend\n")
    main = parse_facts(text, MAC).main_config
    assert main is not None
    assert main.encode("utf-8", "surrogateescape") == raw


@pytest.mark.parametrize(
    "output",
    [
        "",
        "hostname aGE=\n",
        "hostname !!!\nend\n",
        "hostname\nend\n",
        " aGE=\nend\n",
        lines({"hostname": "ha"}),
        altered("facts-fresh.txt", addresses="[{"),
        altered("facts-fresh.txt", addresses='{"a": 1}'),
        altered("facts-fresh.txt", version="keepalived: Exec format error"),
        recorded("facts-pair.txt")[:900],
    ],
)
def test_what_is_not_understood_is_said(output: str) -> None:
    with pytest.raises(UnreadableError):
        parse_facts(output, MAC)


@pytest.mark.parametrize(
    ("text", "version"),
    [("Keepalived v2.2.7 (01/16,2022)", "2.2.7"), ("Keepalived v2.0.10 (11/12,2018)\n", "2.0.10")],
)
def test_version(text: str, version: str) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=ubuntu\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n', "Ubuntu 24.04.1 LTS"),
        ("PRETTY_NAME=Alpine\n", "Alpine"),
        ('PRETTY_NAME="broken\n', '"broken'),
        ("", "Linux"),
    ],
)
def test_os_name(text: str, name: str) -> None:
    assert os_name(text) == name


def test_sight_of_the_active_node() -> None:
    assert parse_sight(recorded("sight-active.txt"), "haos_web") == Sight(Role.ACTIVE, True, True, priority=240)


def test_sight_of_a_withdrawn_pair() -> None:
    assert parse_sight(recorded("sight-withdrawn.txt"), "haos_web") == Sight(Role.STOPPED, False, True)


def test_another_instance_is_not_taken_for_ours() -> None:
    assert parse_sight(recorded("sight-active.txt"), "haos_we") == Sight(Role.STOPPED, True, True)


@pytest.mark.parametrize(
    ("changes", "role"),
    [
        ({"json": None}, Role.UNKNOWN),  # it runs our file, and says nothing
        ({"json": "[{"}, Role.UNKNOWN),
        ({"json": None, "process": "T"}, Role.UNKNOWN),  # SIGSTOP
        ({"json": None, "process": "T", "configured": "no"}, Role.UNKNOWN),
        ({"active": "activating"}, Role.UNKNOWN),
        ({"json": None, "active": "inactive", "process": ""}, Role.STOPPED),
        ({"json": None, "text": " VRRP Instance = haos_web\n   State = BACKUP\n"}, Role.BACKUP),
        ({"json": None, "text": "half a dump"}, Role.UNKNOWN),
    ],
)
def test_sight_is_unknown_rather_than_a_guess(changes: dict[str, str | None], role: Role) -> None:
    assert parse_sight(altered("sight-active.txt", **changes), "haos_web").role is role


def test_removal_is_reported_line_by_line() -> None:
    output = "done eA==\nleft eQ==\ndone eg==\nend\n"
    removed = parse_removed(output)
    assert (removed.done, removed.left) == (("x", "z"), ("y",))


VERSION = """\
Keepalived v2.2.7 (01/16,2022)

configure options: --build=x86_64-linux-gnu --enable-json

Config options:  NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD OLD_CHKSUM_COMPAT INIT=systemd

System options:  VSYSLOG MEMFD_CREATE IPV4_DEVCONF LIBNL3 VRF SO_MARK
"""


def test_features_are_what_it_was_built_with() -> None:
    facts = parse_facts(altered("facts-fresh.txt", version=VERSION), MAC)
    assert {"vmac", "json", "bfd", "libnl3"} <= facts.features
    assert facts.keepalived == "2.2.7"
    assert parse_facts(recorded("facts-fresh.txt"), MAC).features == frozenset()


OTHERS = """\
! enable_script_security
vrrp_instance VI_1 {
    virtual_router_id 7  # not 8
    virtual_ipaddress {
        # fd00::9
        10.0.0.9
    }
}
# vrrp_instance VI_2 {
vrrp_instance VI_3{
    virtual_router_id 9
}
"""


def test_present_configuration() -> None:
    said = "5 (/etc/keepalived/keepalived.conf: Line 3) Unknown keyword 'x'\n"
    facts = parse_facts(altered("facts-fresh.txt", others_config=OTHERS, config_test=said), MAC)
    assert facts.other_instances == ("VI_1", "VI_3")
    assert facts.other_vrids == {(7, 4), (9, None)}
    assert facts.config_messages == ("(/etc/keepalived/keepalived.conf: Line 3) Unknown keyword 'x'",)
    assert not facts.script_security
    secure = altered("facts-fresh.txt", others_config="global_defs { enable_script_security }", config_test="0 x\n")
    assert parse_facts(secure, MAC).script_security
    assert parse_facts(secure, MAC).config_messages == ()


INITIAL = "         0          0 4294967295"


@pytest.mark.parametrize(
    ("capabilities", "uid_map", "realtime"),
    [
        ("000001ffffffffff", INITIAL, True),
        ("00000130f4fcffff", INITIAL, False),  # no CAP_SYS_RESOURCE
        ("000001ffff7fffff", INITIAL, False),  # no CAP_SYS_NICE
        ("000001ffffffffff", "         0       1000          1", False),  # a user namespace
    ],
)
def test_realtime_needs_both_capabilities_for_real(capabilities: str, uid_map: str, realtime: bool) -> None:
    facts = parse_facts(altered("facts-fresh.txt", capabilities=capabilities, uid_map=uid_map), MAC)
    assert facts.realtime is realtime


@pytest.mark.parametrize(
    ("capabilities", "clock", "synchronised"),
    [
        ("000001ffffffffff", "yes", True),
        ("000001ffffffffff", "no", False),
        ("000001ffffffffff", "", None),
        ("00000130f4fcffff", "no", None),  # a container's clock is its machine's
    ],
)
def test_clock(capabilities: str, clock: str, synchronised: bool | None) -> None:
    facts = parse_facts(altered("facts-fresh.txt", capabilities=capabilities, clock=clock), MAC)
    assert facts.clock_synchronised is synchronised


def test_host() -> None:
    seen = {"free_kb": "204800", "tools": "bash\ncurl", "selinux": "Enforcing\n", "root": "1000"}
    facts = parse_facts(altered("facts-fresh.txt", **seen, systemd_version="systemd 252 (252.39-1)"), MAC)
    assert (facts.free_mb, facts.tools, facts.selinux) == (200, frozenset({"bash", "curl"}), "Enforcing")
    assert (facts.root, facts.systemd_version) == (False, 252)


def test_network_manager_of_the_ports_device() -> None:
    file = "/run/systemd/network/10-netplan-ens3.network"
    state = f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n"
    keep = {"keep:/etc/systemd/network/10-netplan-ens3.network.d/haos.conf": "[Network]\n"}
    facts = parse_facts(altered("facts-fresh.txt", **{"networkd:2": state, **keep}), MAC)
    assert (facts.net_manager, facts.network_file, facts.keep_file) == ("systemd-networkd", file, "[Network]\n")
    unmanaged = altered("facts-fresh.txt", **{"networkd:2": "ADMIN_STATE=unmanaged\n", "networkd:3": state})
    assert parse_facts(unmanaged, MAC).net_manager is None
    nm = altered("facts-fresh.txt", **{"nm:2": "[device]\nmanaged=true\nconnection-uuid=1-2\n"})
    assert parse_facts(nm, MAC).net_manager == "NetworkManager"
    assert parse_facts(altered("facts-fresh.txt", ifupdown="lo=lo\nens3=ens3\n"), MAC).net_manager == "ifupdown"


def test_service_checks_of_pairs_with_alike_names() -> None:
    files = {"check:web.check-1": "a", "check:web.check-1.check-1": "b", "pair:web.check-1": "c"}
    facts = parse_facts(altered("facts-fresh.txt", **files), MAC)
    assert facts.check_files == {"web.check-1": "a", "web.check-1.check-1": "b"}
    assert facts.pair_files == {"web.check-1": "c"}


def test_survey() -> None:
    seen = lines({"answer": "10.0.0.9 fa:16:3e:00:00:01", "heard": "51 4", "listened": "yes"})
    assert parse_survey(seen) == Survey({ip_address("10.0.0.9"): "fa:16:3e:00:00:01"}, frozenset({(51, 4)}))
    assert parse_survey(lines({"listened": "no"})) == Survey({}, None)


def test_what_networkd_is_told_to_keep() -> None:
    state = "ADMIN_STATE=configured\nNETWORK_FILE=/run/systemd/network/10-netplan-ens3.network\n"
    seen = {"networkd:2": state, "network_texts:2": "[Network]\nDHCP=yes\n\n[Network]\nKeepConfiguration=dhcp\n"}
    assert parse_facts(altered("facts-fresh.txt", **seen), MAC).network_keeps == "dhcp"
    assert parse_facts(altered("facts-fresh.txt", **{"networkd:2": state}), MAC).network_keeps is None
