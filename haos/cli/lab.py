"""`haos lab`: the embedded cloud."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from haos.cli.options import Settings
from haos.errors import HaosError

if TYPE_CHECKING:
    from haos.lab.control import LabStatus

FABRICS = ("ovs", "learning", "arp-cache")


@contextmanager
def _lab_errors() -> Iterator[None]:
    # The lab stands alone and has its own error; on the command line both look the same.
    from haos.lab.errors import LabError

    try:
        yield
    except LabError as error:
        raise HaosError(str(error), hint=error.hint) from error


def _progress(line: str) -> None:
    if not click.get_current_context().find_root().ensure_object(Settings).quiet:
        click.echo(line, err=True)


def _show(status: LabStatus) -> None:
    click.echo(f"{status.name}: API at {status.url}, fabric {status.fabric}")
    for instance in status.instances:
        addresses = ", ".join(str(address) for address in (*instance.addresses, *instance.floating))
        click.echo(f"  {instance.name:<12} {instance.power:<8} {addresses}")


def _name_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--name", default="haos-lab", show_default=True, help="Name of the lab, and of its cloud.")(
        function
    )


def _install_option(function: click.decorators.FC) -> click.decorators.FC:
    return click.option("--install", is_flag=True, help="As root: install the packages that the lab needs.")(function)


@click.group()
def command() -> None:
    """The embedded cloud on this machine.

    A small OpenStack on loopback, with real instances (systemd, sshd, sudo, apt) in namespaces of their own and a
    switch that enforces port security as Neutron does. Nothing outside those namespaces is touched.
    """


@command.command()
@_name_option
@_install_option
@click.option(
    "--fabric",
    type=click.Choice(FABRICS),
    default="ovs",
    show_default=True,
    help="How the switch works: ovs (as ML2/OVS and OVN: a MAC leads to the port it was set on last), learning (to "
    "where it was seen last) or arp-cache (learning; and the switch itself answers ARP for every address that it has "
    "heard of, so that gratuitous ARP reaches nobody).",
)
@click.option(
    "--delay",
    "delay_s",
    type=click.FloatRange(0, 60),
    default=0.5,
    show_default=True,
    metavar="SECONDS",
    help="How long a port's change takes to show on the wire.",
)
@click.option(
    "--arp-cache-s",
    type=click.FloatRange(1, 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="With --fabric arp-cache: how long the switch's ARP table keeps an address, refreshed by nothing.",
)
def up(name: str, install: bool, fabric: str, delay_s: float, arp_cache_s: float) -> int:
    """Start the lab (and build its image, the first time)."""
    from haos.lab import control

    with _lab_errors():
        status = control.up(
            name, fabric=fabric, delay_s=delay_s, arp_cache_s=arp_cache_s, install=install, progress=_progress
        )
    _show(status)
    _progress(f"next: export OS_CLOUD={name}; haos create --network ha_lab --nodes ha_first,ha_second")
    return 0


@command.command()
@_name_option
def down(name: str) -> int:
    """Stop the lab and remove every trace of it but the cached image."""
    from haos.lab import control

    with _lab_errors():
        control.down(name)
    return 0


@command.command()
@_name_option
def status(name: str) -> int:
    """Show the lab's instances and where its API listens."""
    from haos.lab import control

    with _lab_errors():
        _show(control.status(name))
    return 0


@command.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_name_option
@click.argument("node")
@click.argument("argv", nargs=-1, metavar="[-- COMMAND...]")
def ssh(name: str, node: str, argv: tuple[str, ...]) -> int:
    """Log in to an instance, or run a command there."""
    from haos.lab import control

    words = list(argv[1:] if argv[:1] == ("--",) else argv)
    with _lab_errors():
        command_line = control.ssh_argv(name, node, words)
    os.execvp(command_line[0], command_line)  # noqa: S606 - ssh takes this process's place, terminal and exit code


@command.command()
@_name_option
def env(name: str) -> int:
    """Print what the openstack client needs:  eval "$(haos lab env)"."""
    from haos.lab import control

    with _lab_errors():
        for variable, value in control.environment(name).items():
            click.echo(f"export {variable}={shlex.quote(value)}")
    return 0


@command.group()
def add() -> None:
    """Add an instance, a network or a subnet to a running lab."""


@add.command("instance")
@_name_option
@click.argument("instance")
@click.option("--network", "networks", multiple=True, default=("ha_lab",), show_default=True, help="May be repeated.")
@click.option("--address", help="Fixed IP on the first network (default: Neutron picks).")
def add_instance(name: str, instance: str, networks: tuple[str, ...], address: str | None) -> int:
    """Boot another instance; its first routed IPv4 address gets a floating IP."""
    from haos.lab import control

    with _lab_errors():
        added = control.add_instance(name, instance, networks=networks, address=address)
    if not added.floating:
        _progress(f"{instance} runs; it has no floating IP: none of its addresses is IPv4 behind the lab's router")
    return 0


@add.command("network")
@_name_option
@click.argument("network")
@click.argument("cidr")
def add_network(name: str, network: str, cidr: str) -> int:
    """Make another network with one subnet, IPv4 or IPv6."""
    from haos.lab import control

    with _lab_errors():
        control.add_network(name, network, cidr=cidr)
    return 0


@add.command("subnet")
@_name_option
@click.argument("network")
@click.argument("cidr")
def add_subnet(name: str, network: str, cidr: str) -> int:
    """Give a network another subnet, IPv4 or IPv6.

    Instances that are added later get one address of each IP version on the network, as Neutron's ports do; those
    that run already keep what they have.
    """
    from haos.lab import control

    with _lab_errors():
        control.add_subnet(name, network, cidr=cidr)
    return 0


@command.command()
@_install_option
@click.option("--keep", is_flag=True, help="Leave the lab running at the end.")
def demo(install: bool, keep: bool) -> int:
    """The main job from beginning to end, in a lab of its own."""
    from haos.cli.demo import run_demo

    with _lab_errors():
        return run_demo(install=install, keep=keep, progress=_progress)
