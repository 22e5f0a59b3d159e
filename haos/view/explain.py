"""`--explain`: the same by hand, as a shell script of openstack and ssh commands. Shown, never run by haos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    LeavePair,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    RemovePair,
    Reservation,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.keepalived import HAOS_FOLDER, MAIN_PATH, WITHDRAWN_SUFFIX, is_ours, pair_path
from haos.core.model import RESERVATION_OWNER, AddressPair, SecurityRule
from haos.core.names import floating_mark, group_mark
from haos.core.node import NodeConfig, NodeFacts
from haos.core.nodeconf import files_there, ill_kept, is_included
from haos.core.plan import Plan, Seen
from haos.core.security import rule_changes
from haos.view.console import Output
from haos.view.removal_script import removal_script
from haos.view.script import Variable, Word, command, comment, kept, with_input
from haos.workflow.create import Prepared

Logins = Mapping[str, Sequence[str]]
"""Node name -> the ssh command that logs in there."""
PORT, GROUP = Variable("port"), Variable("group")
INSTALL = {
    "apt": ("apt-get", "install", "-y", "--no-install-recommends", "keepalived"),
    "dnf": ("dnf", "install", "-y", "keepalived"),
    "zypper": ("zypper", "--non-interactive", "install", "keepalived"),
}
ONLY_ID = ("-f", "value", "-c", "id")


def show_explanation(prepared: Prepared, output: Output, logins: Logins) -> int:
    """Print the script."""
    for line in explain(prepared.plan, prepared.seen, logins):
        output.script(line)
    return 0


def explain(plan: Plan, seen: Seen, logins: Logins) -> Iterator[str]:
    """Yield a script that does what the plan says; nothing in it depends on haos."""
    pair, desired = plan.desired.pair, plan.desired
    yield "#!/bin/sh"
    yield comment(f"What haos would do for pair {pair.name} on network {desired.network.name}, by hand.")
    if not plan:
        yield comment("Nothing: all is as it should be.")
        return
    yield from variables(seen)
    for change in plan.changes:
        yield ""
        yield from by_hand(change, plan, seen.facts, logins)
    yield ""
    yield comment(f"Then, from an instance that is no node of the pair: ping {pair.vip}; and again while keepalived")
    yield comment("is stopped on the node that has the VIP (ip address shows it), and once more after its start.")


def variables(seen: Seen) -> Iterator[str]:
    """Yield what the lines that follow go by."""
    yield "set -e"
    if seen.reservation:
        yield f"port={command(seen.reservation.id)}"
    if seen.group:
        yield f"group={command(seen.group.id)}"


def by_hand(change: Change, plan: Plan, facts: Mapping[str, NodeFacts], logins: Logins) -> Iterator[str]:
    """Yield what does one change."""
    pair = plan.desired.pair
    match change:
        case ReserveVip(reservation):
            holds = "MAC reserves" if reservation.mac else "record holds"
            yield comment(f"An unbound port reserves the VIP; its {holds} VRID {pair.vrid}.")
            yield reserve(reservation)
        case AdoptPort(port):
            yield comment(f"Port {port.name or port.id} has the VIP already: it becomes the reservation.")
            marks = ("--device-owner", RESERVATION_OWNER, "--device", change.device_id)
            yield command("openstack", "port", "set", *marks, "--description", change.description, port.id)
        case UpdateRecord(port, description):
            yield comment("The record of the pair, before what it records.")
            yield command("openstack", "port", "set", "--description", description, port.id)
        case MakeGroup(name, rules):
            yield from _make_group(name, rules)
        case MendGroup(group, rules):
            _, missing, unwanted = rule_changes(group.rules, rules)
            yield comment(f"Security group {group.name}: what is missing, then what is too much.")
            yield from (_rule(rule) for rule in missing)
            # One of a group that this script makes has no id yet.
            yield from (
                command("openstack", "security", "group", "rule", "delete", rule.id) for rule in unwanted if rule.id
            )
        case AdmitVip(node, port_id, pairs, group):
            yield comment(f"{node}'s port may speak for the VIP; what is on it stays.")
            gains = [word for one in pairs for word in ("--allowed-address", pair_word(one))]
            grouped: tuple[Word, ...] = ("--security-group", GROUP) if group else ()
            yield command("openstack", "port", "set", *gains, *grouped, port_id)
        case MakeFloatingIp() | TakeFloatingIp():
            yield from _lead_to_vip(change)
        case DismissVip(node, port_id, pairs, groups):
            yield comment(f"{node}'s port needs this no more.")
            losses = [word for one in pairs for word in ("--allowed-address", pair_word(one))]
            yield command(
                "openstack", "port", "unset", *losses, *(("--security-group", GROUP) if groups else ()), port_id
            )
        case InstallKeepalived(node):
            yield comment(f"keepalived on {node}.")
            yield on_node(logins[node], *INSTALL[facts[node].package_manager or "apt"])
        case LeavePair(node, removal, _, packaged, _):
            yield comment(
                f"{node} leaves the pair: its files go and, if no other pair is there, what all pairs share."
            )
            yield from with_input((*logins[node], "sudo sh"), removal_script(removal.pair, purge=packaged))
        case RemovePair(node, previous):
            yield from _leave(node, previous.pair, facts[node], logins[node])
        case Configure(node, config):
            yield from _configure(node, config, facts[node], logins[node])
        case Activate(node):
            yield comment(f"keepalived on {node} runs what lies there.")
            yield on_node(logins[node], "systemctl", "daemon-reload")
            yield on_node(logins[node], "systemctl", "enable", "--now", "keepalived")
            if facts[node].daemon_active and not _stops(node, plan, facts[node]):
                yield on_node(logins[node], "systemctl", "reload", "keepalived")
        case _:
            assert_never(change)


def reserve(wanted: Reservation) -> str:
    """Return the command that makes a reservation port, and keeps its id."""
    fixed_ip = f"subnet={wanted.subnet_id},ip-address={wanted.address}"
    mac = ("--mac-address", wanted.mac) if wanted.mac else ()
    return kept(
        PORT.name,
        *("openstack", "port", "create", "--network", wanted.network_id, "--fixed-ip", fixed_ip),
        *mac,
        "--no-security-group",
        *("--device-owner", RESERVATION_OWNER, "--device", wanted.device_id),
        *("--description", wanted.description, wanted.name, *ONLY_ID),
    )


def _make_group(name: str, rules: Sequence[SecurityRule]) -> Iterator[str]:
    yield comment("A security group for the pair's own packets. Neutron lets a new group send everything: those")
    yield comment("rules go first, else the group would void the restrictions of the others.")
    mark = Variable(PORT.name, group_mark(""))
    yield kept(GROUP.name, "openstack", "security", "group", "create", "--description", mark, name, *ONLY_ID)
    listed = command("openstack", "security", "group", "rule", "list", GROUP, "-f", "value", "-c", "ID")
    yield f"for rule in $({listed}); do"
    yield f"    {command('openstack', 'security', 'group', 'rule', 'delete', Variable('rule'))}"
    yield "done"
    yield from (_rule(rule) for rule in rules)


def _lead_to_vip(change: MakeFloatingIp | TakeFloatingIp) -> Iterator[str]:
    to: tuple[Word, ...] = ("--port", PORT, "--fixed-ip-address", str(change.vip))
    match change:
        case MakeFloatingIp(network_id, network, _):
            yield comment(f"A floating IP on {network}; its description says whose it is.")
            mark = Variable(PORT.name, floating_mark(""))
            yield command("openstack", "floating", "ip", "create", *to, "--description", mark, network_id)
        case TakeFloatingIp(floating, _):
            yield comment(f"Floating IP {floating.address} leads to the VIP.")
            yield command("openstack", "floating", "ip", "set", *to, floating.id)


def _rule(rule: SecurityRule) -> str:
    port = ("--dst-port", str(rule.port_min)) if rule.port_min else ()
    return command(
        *("openstack", "security", "group", "rule", "create", f"--{rule.direction}"),
        *("--ethertype", f"IPv{rule.version}", "--protocol", rule.protocol or "any", *port),
        *("--remote-ip", str(rule.remote_ip), GROUP),
    )


def pair_word(pair: AddressPair) -> str:
    """Return an address pair as the openstack client takes it."""
    return f"ip-address={pair.ip_address},mac-address={pair.mac_address}"


def on_node(login: Sequence[str], *words: str) -> str:
    """Return a command as root on a node."""
    # ssh joins its words with blanks for the remote shell: what is quoted there is quoted once more here.
    # -n: a script that comes in by a pipe must not be eaten by ssh.
    return command(login[0], "-n", *login[1:], command("sudo", *words))


def _leave(node: str, pair: str, facts: NodeFacts, login: Sequence[str]) -> Iterator[str]:
    path = pair_path(pair)
    remove = on_node(login, "rm", "-f", path, path + WITHDRAWN_SUFFIX)
    if _is_alone(pair, facts):
        yield comment(f"The pair leaves {node} and comes back anew: its keepalived ends, and is started again.")
        yield on_node(login, "systemctl", "stop", "keepalived")
        yield remove
        return
    yield comment(f"The pair leaves {node} and comes back anew: keepalived must have let go of it in between.")
    yield remove
    yield on_node(login, "systemctl", "reload", "keepalived")


def _is_alone(pair: str, facts: NodeFacts) -> bool:
    """Say whether a node's keepalived runs nothing but this pair."""
    ours = facts.main_config is None or is_ours(facts.main_config)
    return ours and set(facts.pair_files) <= {pair}


def _stops(node: str, plan: Plan, facts: NodeFacts) -> bool:
    return any(
        isinstance(change, RemovePair) and change.node == node and _is_alone(change.previous.pair, facts)
        for change in plan.changes
    )


def _include(config: NodeConfig, facts: NodeFacts, login: Sequence[str]) -> str:
    # A last line without an end gets one first; ours then has none either: taken away, the bytes are as before.
    ended = (facts.main_config or "\n").endswith("\n")
    line = command("printf", "%s\\n" if ended else "\\n%s", config.include_line or "")
    return command(login[0], "-n", *login[1:], f"{line} | sudo tee -a {MAIN_PATH} >/dev/null")


def _configure(node: str, config: NodeConfig, facts: NodeFacts, login: Sequence[str]) -> Iterator[str]:
    yield comment(f"The files on {node}.")
    there, ill = files_there(config.pair, facts), ill_kept(config, facts)
    owner = ("-o", "root", "-g", "root") if HAOS_FOLDER in ill else ()
    yield on_node(login, "install", "-d", "-m", "0750", *owner, HAOS_FOLDER)
    for file in config.files:
        if there.get(file.path) != file.text or file.path in ill:
            put = command("sudo", "install", "-D", "-m", f"{file.mode:04o}", "/dev/stdin", file.path)
            yield from with_input((*login, put), file.text)
    if config.pair in facts.withdrawn:
        yield on_node(login, "rm", "-f", pair_path(config.pair) + WITHDRAWN_SUFFIX)
    if not is_included(config, facts):
        yield comment("keepalived.conf is yours: one line is added to it.")
        yield _include(config, facts, login)
    yield on_node(login, "keepalived", "--config-test")
