"""`haos replace-node`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.create_options import CHECKS, PLACEMENT, VERIFICATION
from haos.cli.options import Command, Settings, common_options, option, pair_argument, ssh_options
from haos.cli.plan_options import BEHAVIOUR, plan_options


@click.command(cls=Command)
@pair_argument
@option(
    "--old",
    section=PLACEMENT,
    required=True,
    metavar="NODE",
    help="Node that goes: its name, its instance's id, or, where that is gone, its port's id or the beginning of it.",
)
@option(
    "--new",
    section=PLACEMENT,
    required=True,
    metavar="INSTANCE",
    help="Instance that takes its place, on the same network and subnet; name or id.",
)
@option(
    "--observer",
    section=PLACEMENT,
    metavar="INSTANCE",
    help="Instance that proves the VIP from outside (default: one named or tagged 'observer').",
)
@option(
    "--check",
    "check_specs",
    section=CHECKS,
    multiple=True,
    metavar="SPEC",
    help="Say the pair's service checks again: needed for commands, which run as root on the new node too.",
)
@option(
    "--no-observer",
    section=VERIFICATION,
    is_flag=True,
    help="Nobody watches from outside: the nodes watch each other, and the outage stays unknown.",
)
@option("--no-verify", section=VERIFICATION, is_flag=True, help="Do not look, do not try a failover.")
@option(
    "--force",
    section=BEHAVIOUR,
    is_flag=True,
    help="Go on though the old node cannot be reached, and list what stays on it.",
)
@option(
    "--purge",
    section=BEHAVIOUR,
    is_flag=True,
    help="Remove the keepalived package from the old node too, where haos installed it.",
)
@plan_options
@ssh_options
@common_options
@click.pass_obj
def command(
    settings: Settings,
    /,
    yes: bool,
    dry_run: bool,
    exit_code: bool,
    explain: bool,
    no_observer: bool,
    no_verify: bool,
    check_specs: tuple[str, ...],
    **options: Any,
) -> int:
    """Give a pair another node in the place of one that is broken, gone or to be retired.

    The new node gets the old one's priority. Where the old one is at work, the new one joins beside it, takes the VIP
    over with no lost probe if it is there, and only then the old one leaves. What fails is undone; what is killed is
    finished by the same command.

    \b
    Examples:
      haos replace-node web --old web1 --new web3
      haos replace-node --old 4f1c9e2a --new web3        # its instance is gone: the port's id, as status shows it
    """
    if exit_code and not dry_run:
        raise click.UsageError("--exit-code goes with --dry-run")
    if no_observer and options["observer"]:
        raise click.UsageError("--observer and --no-observer contradict each other")
    from haos.cli.asking import confirm_changes
    from haos.cli.create_options import split_ssh
    from haos.cli.session import session
    from haos.core.service import parse_checks
    from haos.view.replace import show_exchange, show_explained, show_replaced
    from haos.workflow.replace import ReplaceRequest, prepare, replace_node

    wanted, ssh = split_ssh(options)
    checks = parse_checks(check_specs) if check_specs else None
    request = ReplaceRequest(watched=not no_observer, verify=not no_verify, checks=checks, **wanted)
    with session(settings, ssh) as run:
        prepared = prepare(request, run.context)
        run.remember(prepared.exchange.pair.name)
        if explain:
            return show_explained(prepared, run.console, run.logins(prepared.exchange.reached))
        show_exchange(prepared, run.console, verbose=run.verbose)
        if dry_run:
            return 3 if exit_code and prepared.changes_something else 0
        if prepared.changes_something:
            confirm_changes(yes=yes)
        return show_replaced(replace_node(prepared, run.context), run.console)
