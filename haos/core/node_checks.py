"""Preflight on a node: what would keep a pair from running there, or make it less than it could be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from haos.core import guestnet
from haos.core.checks import Finding, blocker, info, warning
from haos.core.keepalived import MAIN_PATH, is_ours
from haos.core.node import NodeFacts

MIN_KEEPALIVED = (2, 0, 10)
"""Older ones have no `--config-test`, with which haos checks what it writes."""
MIN_FREE_MB = 20
PACKAGE_LOCK_TIMEOUT_S = 120
"""How long apt, dpkg or zypper may be busy with something else: a new instance's first upgrade."""
HTTP_CLIENTS = ("curl", "wget", "python3")
MAX_TOLD = 3
"""How many of others' messages, or instances, are told by name."""


@dataclass(frozen=True)
class NodeNeeds:
    """What the pair that is wanted asks of its nodes."""

    vmac: bool = False
    scripts: bool = False
    http: bool = False
    bfd: bool = False
    ip_version: int = 4


def check_facts(name: str, facts: NodeFacts, needs: NodeNeeds | None = None) -> Iterator[Finding]:
    """Find what speaks against a node from inside."""
    needs = needs or NodeNeeds()
    yield from _check_host(name, facts)
    yield from _check_keepalived(name, facts, needs)
    yield from _check_configuration(name, facts, needs)
    yield from _check_network(name, facts, needs)
    if facts.tested:
        yield blocker(
            "failover-test-at-work",
            f"a failover-test is at work on {name}, or died",
            "wait for its end; if it died: haos failover-test --restore",
        )
    for pair in sorted(facts.weights):
        yield warning(
            "unfinished-switchover",
            f"a switchover of pair {pair} was broken off, or is under way: {name} has a weight",
            f"haos switchover {pair} goes on from there",
        )
    if needs.http and facts.tools and not facts.tools.intersection(HTTP_CLIENTS):
        yield blocker(
            "no-http-client",
            f"{name} has none of {', '.join(HTTP_CLIENTS)} to ask the service with",
            "install curl there, or check a port (tcp:PORT)",
        )


def _check_host(name: str, facts: NodeFacts) -> Iterator[Finding]:
    if not facts.systemd:
        yield blocker(
            "no-systemd", f"{name} ({facts.os_name}) does not run systemd", "haos supports systemd hosts only"
        )
    if facts.free_mb is not None and facts.free_mb < MIN_FREE_MB:
        yield blocker(
            "disk-full",
            f"{name} has {facts.free_mb} MB left where /etc lies; {MIN_FREE_MB} are needed",
            "make room there: apt-get clean, journalctl --vacuum-size=100M",
        )
    if facts.clock_synchronised is False:
        yield warning(
            "clock-not-synchronised",
            f"the clock of {name} is not synchronised: its journal's times will not match the other nodes'",
            "timedatectl set-ntp true",
        )


def packages_locked(name: str, who: str) -> str:
    """Say that an installation on a node has to wait, and for whom."""
    return f"on {name} packages are being worked at ({who}): haos waits for that, up to {PACKAGE_LOCK_TIMEOUT_S} s"


def _check_keepalived(name: str, facts: NodeFacts, needs: NodeNeeds) -> Iterator[Finding]:
    if facts.keepalived is None:
        if facts.package_manager is None:
            yield blocker(
                "no-package-manager",
                f"{name} ({facts.os_name}) has neither keepalived nor apt, dnf or zypper to install it",
                "install keepalived there by hand",
            )
        if facts.packager is not None:
            yield warning(
                "packages-locked",
                packages_locked(name, facts.packager),
                "a new instance's first upgrade takes a while; or install keepalived by hand once it is over",
            )
        return
    if parse_version(facts.keepalived) < MIN_KEEPALIVED:
        yield blocker(
            "keepalived-too-old",
            f"keepalived {facts.keepalived} on {name} is older than {'.'.join(map(str, MIN_KEEPALIVED))}",
            "upgrade it there",
        )
    for wanted, feature, what, remedy in (
        (needs.vmac, "vmac", "a virtual MAC address", "use --mode garp"),
        (needs.bfd, "bfd", "BFD", "leave --bfd out"),
    ):
        if wanted and facts.features and feature not in facts.features:
            yield blocker(
                f"keepalived-no-{feature}",
                f"keepalived {facts.keepalived} on {name} was built without {what}",
                f"{remedy}, or install a keepalived that has it",
            )


def _check_configuration(name: str, facts: NodeFacts, needs: NodeNeeds) -> Iterator[Finding]:
    if facts.main_config is None or is_ours(facts.main_config):
        if not facts.realtime:
            yield info(
                "no-realtime",
                f"keepalived on {name} cannot have real-time priority: under load the fastest profile may switch "
                "over without need",
            )
        return
    if needs.scripts and not facts.script_security:
        yield blocker(
            "scripts-not-secure",
            f"the {MAIN_PATH} on {name} is not haos's and lacks enable_script_security: keepalived would not run "
            "the service check",
            "add enable_script_security to its global_defs, or leave --check out",
        )
    if facts.config_messages:
        yield warning(
            "foreign-config-messages",
            f"keepalived on {name} complains of its present configuration: {_some(facts.config_messages, '; ')}",
            "keepalived --config-test; haos leaves it as it is",
        )
    if facts.other_instances and facts.keepalived is not None and not facts.daemon_active:
        yield warning(
            "starts-others",
            f"keepalived on {name} does not run, but its configuration has instances that are not haos's, "
            f"{_some(facts.other_instances, ', ')}: they would start with the pair's, and stay when it goes",
            f"take them out of {MAIN_PATH} there first if they are to stay off",
        )
    elif facts.other_instances:
        yield info(
            "other-instances",
            f"keepalived on {name} runs other instances too, {_some(facts.other_instances, ', ')}: haos leaves them "
            "alone",
        )


def _check_network(name: str, facts: NodeFacts, needs: NodeNeeds) -> Iterator[Finding]:
    if facts.interface is None:
        yield blocker(
            "no-interface",
            f"{name} has no network device with its port's MAC address",
            "is the port really plugged in?",
        )
        return
    four = needs.ip_version == 4
    reason = facts.firewall if four else facts.firewall_v6
    if reason is not None:
        remedy = facts.firewall_remedy if four else facts.firewall_v6_remedy
        yield blocker("guest-firewall", f"on {name}, {reason}: the nodes would not hear each other", remedy)
    if needs.bfd and (bfd := facts.firewall_bfd.get(needs.ip_version)):
        reason = f"on {name}, {bfd.reason}: the nodes would take each other for dead"
        yield blocker("guest-firewall", reason, f"{bfd.remedy}; or leave --bfd out")
    if facts.net_manager == "NetworkManager":
        yield info(
            "vip-dropped-on-renew",
            f"NetworkManager configures {facts.interface} on {name}: where it sets the connection up anew it takes "
            "the VIP away; keepalived puts it back, and a Backup may become Active meanwhile",
        )
    if facts.net_manager == "systemd-networkd" and not guestnet.can_keep(facts):
        yield warning(
            "vip-dropped-on-renew",
            f"systemd-networkd {facts.systemd_version} configures {facts.interface} on {name} and cannot be told to "
            "keep the VIP when it sets the device up anew: a Backup may become Active then",
        )


def _some(texts: tuple[str, ...], joint: str) -> str:
    more = len(texts) - MAX_TOLD
    return joint.join(texts[:MAX_TOLD]) + (f"{joint}and {more} more" if more > 0 else "")


def parse_version(text: str) -> tuple[int, ...]:
    """Return "2.2.7" as (2, 2, 7); what is no number ends it."""
    parts = []
    for part in text.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)
