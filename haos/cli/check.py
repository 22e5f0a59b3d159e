"""`haos check`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.create_options import check_options, request_of, split_ssh
from haos.cli.options import Command, Settings, common_options, list_options, pair_argument, ssh_options
from haos.view.style import Style


@click.command(cls=Command)
@pair_argument
@check_options
@ssh_options
@list_options
@common_options
@click.pass_obj
def command(settings: Settings, /, pair: str | None, style: Style, **options: Any) -> int:
    """Say why create would fail, or a pair be less than highly available.

    Looks at the cloud and logs in to the nodes, and changes nothing. Takes the options of create for a pair that is
    to be made, or the name of one that is there. Exits 0 if nothing stops it, 5 if something does.

    \b
    Examples:
      haos check --network ha_lab --nodes ha_first,ha_second
      haos check web -f json
    """
    wanted, ssh = split_ssh(options)
    if pair is None:
        if (wanted["network"] is None) != (wanted["nodes"] is None):
            raise click.UsageError("--network and --nodes go together")
    elif any(value not in (None, False, ()) for name, value in wanted.items() if name != "observer"):
        raise click.UsageError("beside a PAIR only --observer can be given: what the pair is, its record says")
    from haos.cli.session import session
    from haos.view.check import show_check
    from haos.workflow.check import check, check_pair

    request = request_of(wanted) if wanted["network"] is not None else None
    with session(settings, ssh) as run:
        report = check(request, run.context) if request else check_pair(pair, wanted["observer"], run.context)
        return show_check(report, run.console, style)
