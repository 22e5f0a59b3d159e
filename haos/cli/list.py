"""`haos list`."""

from __future__ import annotations

import os

import click

from haos.cli.options import Command, Settings, common_options, list_options
from haos.view.style import Style


@click.command(cls=Command)
@list_options
@common_options
@click.pass_obj
def command(settings: Settings, /, style: Style) -> int:
    """List the project's pairs, as their records say; no instance is logged in to.

    \b
    Example:
      haos list -f value -c Name
    """
    from haos.cli import pair_cache
    from haos.cli.session import session
    from haos.view.listing import show_pairs
    from haos.workflow.listing import list_pairs

    with session(settings) as run:
        with run.context.progress.step("look at the cloud"):
            pairs = list_pairs(run.context.cloud)
        pair_cache.replace(settings.openstack, os.environ, [pair.name for pair in pairs])
        return show_pairs(pairs, run.console, style)
