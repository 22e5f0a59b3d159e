"""Which words of the command line are haos's own, and which are the openstack client's global options."""

from __future__ import annotations

from collections.abc import Sequence


def split_openstack_options(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (haos's own arguments, the openstack client's global options), wherever they stood; `--` ends it."""
    own: list[str] = []
    openstack: list[str] = []
    rest = iter(argv)
    for argument in rest:
        if argument == "--" or (argument == "lab" and _is_command(own)):
            own += [argument, *rest]  # what follows is another program's, or the lab's, which needs no credentials
        elif argument in ("--insecure", "--verify"):
            openstack.append(argument)
        elif argument.startswith("--os-") or argument.partition("=")[0] == "--timeout":
            openstack.append(argument)
            if "=" not in argument and (value := next(rest, None)) is not None:
                openstack.append(value)
        else:
            own.append(argument)
    return own, openstack


def _is_command(before: Sequence[str]) -> bool:
    """Say whether the word after these is the command: all of them are global options, or values of such."""
    previous = ["", *before]
    return all(word.startswith("-") or previous[index] == "--log-file" for index, word in enumerate(before))
