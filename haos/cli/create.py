"""`haos create`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from haos.cli.options import Command, Settings, as_address, as_names, common_options, option, ssh_options

if TYPE_CHECKING:
    from haos.core.model import Address


@click.command(cls=Command)
@option("--network", required=True, metavar="NETWORK", help="Network of the instances, by name or id.")
@option(
    "--nodes",
    required=True,
    callback=as_names,
    metavar="A,B[,C...]",
    help="Instances that share the VIP, the preferred one first; names or ids.",
)
@option("--name", metavar="NAME", help="Name of the pair (default: made of the nodes' names).")
@option("--vip", callback=as_address, metavar="ADDRESS", help="The VIP (default: the lowest free one).")
@option("--subnet", metavar="SUBNET", help="Subnet of the VIP, where the nodes share several.")
@option(
    "--observer",
    metavar="INSTANCE",
    help="Instance that proves the VIP from outside (default: one named or tagged 'observer').",
)
@option("--no-verify", is_flag=True, help="Do not verify, and do not try a failover.")
@option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
@option("--exit-code", is_flag=True, help="With --dry-run: exit 3 if there are changes.")
@ssh_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    network: str,
    nodes: tuple[str, ...],
    name: str | None,
    vip: Address | None,
    subnet: str | None,
    observer: str | None,
    no_verify: bool,
    dry_run: bool,
    exit_code: bool,
    **ssh: Any,
) -> int:
    """Make a highly available VIP between instances, and prove it.

    Chooses a free address outside the subnet's allocation pools, reserves it, lets the nodes' ports speak for it,
    installs and configures keepalived over SSH, and ends when the observer has seen the VIP answer, move to the
    other node within the predicted time, and come back. Run again, it changes nothing.

    \b
    Example:
      haos create --network ha_lab --nodes ha_first,ha_second
    """
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code goes with --dry-run")
    from haos.cli.session import session
    from haos.view.plan import show_plan
    from haos.view.result import show_created
    from haos.workflow import create as workflow
    from haos.workflow.request import CreateRequest, check_request

    request = CreateRequest(network, nodes, name, vip, subnet, observer, verify=not no_verify)
    check_request(request)
    with session(settings, ssh) as run:
        prepared = workflow.prepare(request, run.context)
        show_plan(prepared, run.console, verbose=run.verbose)
        if dry_run:
            return 3 if exit_code and prepared.plan else 0
        created = workflow.create(
            prepared, run.context, lambda again: show_plan(again, run.console, verbose=run.verbose)
        )
        run.remember(created.pair.name)
        return show_created(created, run.console)
