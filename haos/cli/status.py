"""`haos status`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.options import Command, Settings, common_options, option, pair_argument, show_options, ssh_options
from haos.view.style import Style


@click.command(cls=Command)
@pair_argument
@option("--observer", metavar="INSTANCE", help="Instance to look from (default: the one named 'observer').")
@ssh_options
@show_options
@common_options
@click.pass_obj
def command(settings: Settings, /, pair: str | None, observer: str | None, style: Style, **ssh: Any) -> int:
    """Show a pair as the cloud, the nodes and the observer see it.

    Exits 0 if the pair is healthy, 4 if it is not.

    \b
    Example:
      haos status
      haos status web -f value -c Active
    """
    from haos.cli.session import session
    from haos.view.status import show_status
    from haos.workflow.status import status

    with session(settings, ssh) as run:
        seen = status(pair, observer, run.context)
        run.remember(seen.pair.name)
        return show_status(seen, run.console, style)
