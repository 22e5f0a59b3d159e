"""Findings about a node: each has its code, its severity, its reason and a remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from haos.core.checks import Finding, Severity, raise_blockers
from haos.core.guest_firewall import Blocked
from haos.core.keepalived import main_file
from haos.core.node import NodeFacts
from haos.core.node_checks import NodeNeeds, check_facts, parse_version
from haos.errors import UnsatisfiableError

FINE = NodeFacts(
    "ha-first",
    "Debian GNU/Linux 12 (bookworm)",
    "apt",
    systemd=True,
    interface="ens3",
    keepalived="2.2.7",
    features=frozenset({"vmac", "json", "bfd"}),
    realtime=True,
    free_mb=500,
    clock_synchronised=True,
    tools=frozenset({"bash", "curl"}),
)
FOREIGN = "vrrp_instance VI_1 {\n}\n"
EVERYTHING = NodeNeeds(vmac=True, scripts=True, http=True, bfd=True)


def found(needs: NodeNeeds | None = None, **changes: Any) -> list[Finding]:
    return list(check_facts("ha_first", replace(FINE, **changes), needs))


@pytest.mark.parametrize("main", [None, main_file().text])
def test_fine_node_has_no_findings_whatever_is_needed(main: str | None) -> None:
    assert found(EVERYTHING, main_config=main) == []


BFD_BLOCKED = Blocked("ufw drops BFD", "ufw allow 3784/udp")


def test_keepalived_that_is_not_installed_is_no_finding() -> None:
    assert found(EVERYTHING, keepalived=None, features=frozenset()) == []


@pytest.mark.parametrize(
    ("code", "severity", "changes", "needs"),
    [
        ("no-systemd", "blocker", {"systemd": False}, None),
        ("no-interface", "blocker", {"interface": None}, None),
        ("no-package-manager", "blocker", {"keepalived": None, "package_manager": None}, None),
        ("packages-locked", "warning", {"keepalived": None, "packager": "apt-get, process 42"}, None),
        ("keepalived-too-old", "blocker", {"keepalived": "2.0.9"}, None),
        ("keepalived-no-vmac", "blocker", {"features": frozenset({"json"})}, NodeNeeds(vmac=True)),
        ("keepalived-no-bfd", "blocker", {"features": frozenset({"vmac"})}, NodeNeeds(bfd=True)),
        ("scripts-not-secure", "blocker", {"main_config": FOREIGN}, NodeNeeds(scripts=True)),
        ("unfinished-switchover", "warning", {"weights": {"web": 253}}, None),
        ("no-http-client", "blocker", {"tools": frozenset({"bash"})}, NodeNeeds(http=True)),
        ("guest-firewall", "blocker", {"firewall": "ufw drops VRRP", "firewall_remedy": "ufw allow"}, None),
        ("guest-firewall", "blocker", {"firewall_v6": "ufw drops VRRP"}, NodeNeeds(ip_version=6)),
        ("guest-firewall", "blocker", {"firewall_bfd": {4: BFD_BLOCKED}}, NodeNeeds(bfd=True)),
        ("vip-dropped-on-renew", "info", {"net_manager": "NetworkManager"}, None),
        ("vip-dropped-on-renew", "warning", {"net_manager": "systemd-networkd", "systemd_version": 242}, None),
        ("foreign-config-messages", "warning", {"main_config": FOREIGN, "config_messages": ("(Line 1) x",)}, None),
        (
            "other-instances",
            "info",
            {"main_config": FOREIGN, "other_instances": ("VI_1", "VI_2"), "daemon_active": True},
            None,
        ),
        (
            "starts-others",
            "warning",
            {"main_config": FOREIGN, "other_instances": ("VI_1",), "daemon_active": False},
            None,
        ),
        ("no-realtime", "info", {"realtime": False}, None),
        ("clock-not-synchronised", "warning", {"clock_synchronised": False}, None),
        ("disk-full", "blocker", {"free_mb": 19}, None),
    ],
)
def test_each_finding(code: str, severity: str, changes: dict[str, Any], needs: NodeNeeds | None) -> None:
    [finding] = found(needs, **changes)
    assert (finding.code, finding.severity) == (code, severity)
    assert "ha_first" in finding.reason


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"features": frozenset()}, EVERYTHING),  # it does not say
        ({"features": frozenset({"json"})}, NodeNeeds(scripts=True)),
        ({"main_config": FOREIGN, "script_security": True}, EVERYTHING),
        ({"main_config": FOREIGN, "realtime": False}, None),
        ({"firewall": "IPv4 only"}, NodeNeeds(ip_version=6)),
        ({"firewall_bfd": {4: BFD_BLOCKED}}, None),
        ({"firewall_bfd": {4: BFD_BLOCKED}}, NodeNeeds(bfd=True, ip_version=6)),
        ({"net_manager": "systemd-networkd", "systemd_version": 252}, None),
        ({"net_manager": "ifupdown"}, None),
        ({"clock_synchronised": None, "free_mb": None}, None),
        ({"tools": frozenset({"python3"})}, EVERYTHING),
    ],
)
def test_nothing_is_said_without_need(changes: dict[str, Any], needs: NodeNeeds | None) -> None:
    assert found(needs, **changes) == []


def test_long_lists_are_cut() -> None:
    names = tuple(f"VI_{index}" for index in range(9))
    [finding] = found(main_config=FOREIGN, other_instances=names)
    assert "VI_0, VI_1, VI_2, and 6 more" in finding.reason


def test_remedy_of_the_firewall_is_given() -> None:
    [finding] = found(firewall="ufw drops VRRP", firewall_remedy="ufw reload")
    assert finding.remedy == "ufw reload"


def test_raising_passes_warnings_on_and_leaves_information_out() -> None:
    findings = found(clock_synchronised=False, realtime=False)
    assert [one.severity for one in findings] == [Severity.WARNING, Severity.INFO]
    assert [one.code for one in raise_blockers(findings)] == ["clock-not-synchronised"]
    with pytest.raises(UnsatisfiableError, match="does not run systemd"):
        raise_blockers(found(systemd=False))


@pytest.mark.parametrize(
    ("text", "version"), [("2.2.7", (2, 2, 7)), ("2.3.1-rc1", (2, 3)), ("2.0.10", (2, 0, 10)), ("", ())]
)
def test_version(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version
