"""The options of `haos create`, under the headings of its help, and the request that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from haos.cli.options import SSH_NAMES, as_address, as_names, option
from haos.cli.plan_options import BEHAVIOUR, plan_options

if TYPE_CHECKING:
    from haos.core.floating import FloatingWish
    from haos.workflow.request import CreateRequest

F = TypeVar("F", bound=Callable[..., Any])

PLACEMENT, VIP, VRRP, CHECKS = "Placement", "VIP", "VRRP", "Service checks"
VERIFICATION = "Verification"
MODES = ("auto", "garp", "vmac")
PROFILES = {"conservative": 1.0, "standard": 0.3, "fast": 0.1, "fastest": 0.05}
"""Must be what haos.workflow.request and haos.core.vrrp know (tests/cli); here so that --help imports nothing."""


def as_priorities(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Parse numbers between commas."""
    try:
        return None if value is None else tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 240,230") from None


def as_floating(_: click.Context, __: click.Parameter, value: str | bool | None) -> FloatingWish | None:
    """Parse an IPv4 address, or the name of a network; True is "without a value"."""
    if value is None:
        return None
    from ipaddress import IPv4Address, ip_address

    from haos.core.floating import FloatingWish

    if isinstance(value, bool):
        return FloatingWish()
    if not value:
        raise click.BadParameter("it is empty; leave out the value for the network of the router's gateway")
    try:
        address = ip_address(value)
    except ValueError:
        return FloatingWish(network=value)
    if not isinstance(address, IPv4Address):
        raise click.BadParameter(f"{value}: floating IPs are IPv4 addresses")
    return FloatingWish(address=address)


_NETWORK: dict[str, Any] = {
    "section": PLACEMENT,
    "metavar": "NETWORK",
    "help": "Network of the instances, name or id.",
}
_NODES: dict[str, Any] = {
    "section": PLACEMENT,
    "callback": as_names,
    "metavar": "A,B[,C...]",
    "help": "Two to five instances that share the VIP, the preferred one first; names or ids.",
}
_WHERE = (
    option("--name", section=PLACEMENT, metavar="NAME", help="Name of the pair (default: made of the nodes' names)."),
    option(
        "--subnet",
        section=PLACEMENT,
        metavar="SUBNET",
        help="Subnet of the VIP, where the nodes share several; name or id.",
    ),
    option(
        "--observer",
        section=PLACEMENT,
        metavar="INSTANCE",
        help="Instance that proves the VIP from outside (default: one named or tagged 'observer').",
    ),
    option(
        "--vip",
        section=VIP,
        callback=as_address,
        metavar="ADDRESS",
        help="The VIP (default: the lowest free address outside the allocation pools).",
    ),
    option(
        "--vip-from-pool",
        section=VIP,
        is_flag=True,
        help="Take a free address of an allocation pool if none is free outside; its reservation keeps Neutron from "
        "handing it out.",
    ),
    option(
        "--floating-ip",
        section=VIP,
        is_flag=False,
        flag_value=True,
        type=click.UNPROCESSED,
        callback=as_floating,
        metavar="[NET|ADDRESS]",
        help="Associate a floating IP with the VIP: a new one from external network NET (default: the one of the "
        "router's gateway), or ADDRESS, a free one that the project has.",
    ),
)
_HOW = (
    option(
        "--mode",
        section=VRRP,
        type=click.Choice(MODES),
        help="How the network learns where the VIP is: gratuitous ARP (garp), a virtual MAC (vmac), or garp and, "
        "where the trial shows that the network ignores it, vmac (auto).  [default: auto]",
    ),
    option(
        "--profile",
        section=VRRP,
        type=click.Choice(tuple(PROFILES)),
        help="How often the Active node advertises itself: every "
        + ", ".join(f"{seconds:g} s ({name})" for name, seconds in PROFILES.items())
        + "; fastest is for two nodes.  [default: standard]",
    ),
    option(
        "--advert-interval",
        section=VRRP,
        type=float,
        metavar="SECONDS",
        help="Any other interval, 0.01 to 40.95; the outage after a crash is a good three of them.",
    ),
    option(
        "--priorities",
        section=VRRP,
        callback=as_priorities,
        metavar="A,B[,C...]",
        help="Priorities of the nodes, in their order, 1 to 254 (default: 240,230 and so on).",
    ),
    option(
        "--preempt/--nopreempt",
        "preempt",
        section=VRRP,
        default=None,
        help="Whether the preferred node takes the VIP back once it can.  [default: preempt]",
    ),
    option(
        "--preempt-delay",
        section=VRRP,
        type=int,
        metavar="SECONDS",
        help="How long it waits before it does.  [default: 5]",
    ),
    option(
        "--bfd/--no-bfd",
        section=VRRP,
        default=None,
        help="Let the Backup of two nodes watch the Active by BFD: a dead node is noticed within 0.2 s, at the cost "
        "of a packet every 50 ms; a daemon that was stopped takes as long.  [default: no-bfd]",
    ),
    option(
        "--check",
        "check_specs",
        section=CHECKS,
        multiple=True,
        metavar="SPEC",
        help="A node gives the VIP up while this fails there: a command, tcp:PORT or a http:// URL; may be repeated.",
    ),
    option("--no-check", section=CHECKS, is_flag=True, help="Remove the checks that an earlier run set."),
)
_NO_OBSERVER = (
    option(
        "--no-observer",
        section=VERIFICATION,
        is_flag=True,
        help="Do without an observer: the nodes watch each other, which is no proof from outside.",
    ),
)
PROBE_HELP = (
    "Ask the service too: tcp:PORT, or a URL, whose host is asked for at the VIP; a status below 400 is an answer, "
    "and certificates are not verified."
)
_PROOF = (
    option("--probe", section=VERIFICATION, metavar="SPEC", help=PROBE_HELP),
    option("--no-verify", section=VERIFICATION, is_flag=True, help="Do not verify, and do not try a failover."),
    option(
        "--verify-failover",
        section=VERIFICATION,
        is_flag=True,
        help="Try a failover even if this pair was proven before.",
    ),
    option(
        "--keep-on-failure",
        section=BEHAVIOUR,
        is_flag=True,
        help="If it fails, leave what was made for a look, instead of undoing it.",
    ),
    plan_options,
)


def create_options(command: F) -> F:
    """Add what create alone understands."""
    place = (option("--network", required=True, **_NETWORK), option("--nodes", required=True, **_NODES))
    return _add(command, (*place, *_WHERE, *_HOW, *_NO_OBSERVER, *_PROOF))


def check_options(command: F) -> F:
    """Add the options of create that say what the pair would be; none is needed where it is there already."""
    place = (option("--network", **_NETWORK), option("--nodes", **_NODES))
    return _add(command, (*place, *_WHERE, *_HOW, *_NO_OBSERVER))


def _add(command: F, options: Sequence[Callable[[F], F]]) -> F:
    for each in reversed(options):
        command = each(command)
    return command


def split_ssh(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the other options, those of SSH)."""
    ssh = {name: options[name] for name in SSH_NAMES}
    return {name: value for name, value in options.items() if name not in ssh}, ssh


def request_of(options: Mapping[str, Any]) -> CreateRequest:
    """Return the request that the options make. Raises click.UsageError for those that contradict."""
    from haos.core import service
    from haos.core.service_probe import parse_service
    from haos.workflow.request import CreateRequest, ModeChoice

    _refuse_both(options, ("check_specs", "--check"), ("no_check", "--no-check"))
    _refuse_both(options, ("profile", "--profile"), ("advert_interval", "--advert-interval"))
    _refuse_both(options, ("no_verify", "--no-verify"), ("verify_failover", "--verify-failover"))
    _refuse_both(options, ("no_verify", "--no-verify"), ("probe", "--probe"))
    _refuse_both(options, ("no_observer", "--no-observer"), ("probe", "--probe"))
    checks = service.parse_checks(options["check_specs"]) if options["check_specs"] else None
    profile, mode = options["profile"], options["mode"]
    return CreateRequest(
        network=options["network"],
        nodes=options["nodes"],
        name=options["name"],
        vip=options["vip"],
        subnet=options["subnet"],
        observer=options["observer"],
        verify=not options.get("no_verify", False),
        vip_from_pool=options["vip_from_pool"],
        mode=None if mode is None else ModeChoice(mode),
        advertisement_interval_s=options["advert_interval"] if profile is None else PROFILES[profile],
        preempt=options["preempt"],
        preempt_delay_s=options["preempt_delay"],
        priorities=options["priorities"],
        checks=() if options["no_check"] else checks,
        bfd=options["bfd"],
        watched=not options["no_observer"],
        verify_failover=options.get("verify_failover", False),
        keep_on_failure=options.get("keep_on_failure", False),
        service=parse_service(options.get("probe")),
        floating=options["floating_ip"],
    )


def _refuse_both(options: Mapping[str, Any], *names: tuple[str, str]) -> None:
    if all(options.get(name) not in (None, False, ()) for name, _ in names):
        raise click.UsageError(f"{' and '.join(shown for _, shown in names)} contradict each other")
