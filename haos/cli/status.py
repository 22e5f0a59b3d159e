"""`haos status`."""

from __future__ import annotations

from typing import Any

import click

from haos.cli.options import common_options, ssh_options


@click.command()
@click.argument("pair", required=False)
@click.option("--observer", metavar="INSTANCE", help="Instance to look from (default: the one named 'observer').")
@ssh_options
@common_options
@click.pass_obj
def command(openstack: list[str], /, pair: str | None, observer: str | None, **common: Any) -> int:
    """Show a pair as the cloud, the nodes and the observer see it.

    Exits 0 if the pair is healthy, 4 if it is not.

    \b
    Example:
      haos status
    """
    from haos.cli.session import session
    from haos.view.result import show_status
    from haos.workflow.status import status

    with session(openstack, common) as run:
        return show_status(status(pair, observer, run.context), run.console)
