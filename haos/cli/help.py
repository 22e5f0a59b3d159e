"""`haos help`."""

from __future__ import annotations

import click


@click.command()
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def command(ctx: click.Context, /, words: tuple[str, ...]) -> int:
    """Show the help of a command, as --help does.

    \b
    Example:
      haos help create
    """
    here = ctx.find_root()
    for word in words:
        found = here.command.get_command(here, word) if isinstance(here.command, click.Group) else None
        if found is None:
            raise click.UsageError(f"No such command '{' '.join(words)}'.", ctx=ctx.find_root())
        here = click.Context(found, info_name=word, parent=here)
    click.echo(here.get_help())
    return 0
