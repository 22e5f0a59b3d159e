"""`haos create`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from haos.cli.asking import ask, confirm_changes, on_terminal
from haos.cli.create_options import create_options, request_of, split_ssh
from haos.cli.options import Command, Settings, common_options, ssh_options

if TYPE_CHECKING:
    from haos.workflow.context import Context
    from haos.workflow.create import Prepared
    from haos.workflow.request import CreateRequest


@click.command(cls=Command)
@create_options
@ssh_options
@common_options
@click.pass_obj
def command(settings: Settings, /, yes: bool, explain: bool, dry_run: bool, exit_code: bool, **options: Any) -> int:
    """Make a highly available VIP between instances, and prove it.

    Chooses a free address outside the subnet's allocation pools, reserves it, lets the nodes' ports speak for it,
    installs and configures keepalived over SSH, and ends when the observer has seen the VIP answer, move to the
    other node within the predicted time, and come back. Run again, it changes nothing but what its options say.

    \b
    Examples:
      haos create --network ha_lab --nodes ha_first,ha_second
      haos create --network web --nodes web1,web2 --check tcp:443 --profile fast
    """
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code goes with --dry-run")
    from haos.cli.session import session
    from haos.view.explain import show_explanation
    from haos.view.plan import show_plan
    from haos.view.result import show_created
    from haos.workflow.create import create
    from haos.workflow.request import check_request

    wanted, ssh = split_ssh(options)
    request = request_of(wanted)
    check_request(request)
    with session(settings, ssh) as run:
        prepared = prepare_or_ask(request, run.context)
        if explain:
            return show_explanation(prepared, run.console, run.logins(prepared.place.nodes))
        show_plan(prepared, run.console, verbose=run.verbose)
        if dry_run:
            return 3 if exit_code and prepared.plan else 0
        if prepared.plan:
            confirm_changes(yes=yes)
        created = create(prepared, run.context, lambda again: show_plan(again, run.console, verbose=run.verbose))
        run.remember(created.pair.name)
        return show_created(created, run.console)


def prepare_or_ask(request: CreateRequest, ctx: Context) -> Prepared:
    """Prepare; where nothing is free outside the allocation pools, offer an address inside on a terminal."""
    from haos.errors import NoFreeAddressError
    from haos.workflow.create import prepare

    try:
        return prepare(request, ctx)
    except NoFreeAddressError as error:
        if error.offer is None or not on_terminal():
            raise
        click.echo(f"{error.reason[0].upper()}{error.reason[1:]}.", err=True)
        if not ask(f"Use {error.offer} from a pool? Its reservation keeps Neutron from handing it out."):
            raise
    return prepare(replace(request, vip_from_pool=True), ctx)
