"""What is enumerated: which command is killed, from where, and what is done afterwards."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tests.lab.main_job import CREATE

Argv = tuple[str, ...]
MADE = (*CREATE, "--no-verify")
TEARDOWN = ("teardown", "--purge")
# The Active node, for the one instance that is left; nobody watches then.
REPLACE = ("replace-node", "--old", "ha_first", "--new", "observer", "--no-observer", "--no-verify")


class Place(enum.StrEnum):
    """A state that is known."""

    BARE = "as before create"
    START = "as before the command"
    DONE = "as after the command, undisturbed"


@dataclass(frozen=True)
class Way:
    """What somebody does after haos was killed, and where it must end."""

    name: str
    argv: Argv
    ends: Place


@dataclass(frozen=True)
class Flow:
    """One command of haos, begun from the bare lab after `setup`."""

    name: str
    command: Argv
    ways: tuple[Way, ...]
    setup: tuple[Argv, ...] = ()
    ends_bare: bool = False
    fabric: str = "ovs"
    preinstalled: bool = True


def making(
    name: str, *more: str, setup: tuple[Argv, ...] = (), fabric: str = "ovs", preinstalled: bool = True
) -> Flow:
    """Return the flow of a create: the same again completes it, and teardown takes all of it away."""
    command = (*CREATE, *more)
    again = Way("the same again", command, Place.DONE)
    undone = Way("teardown --purge", TEARDOWN, Place.BARE)
    return Flow(name, command, (again, undone), setup, fabric=fabric, preinstalled=preinstalled)


FLOWS = {
    flow.name: flow
    for flow in (
        making("create", "--no-verify"),
        Flow(
            "teardown",
            TEARDOWN,
            (Way("the same again", TEARDOWN, Place.BARE), Way("create", MADE, Place.START)),
            setup=(MADE,),
            ends_bare=True,
        ),
        making("install", preinstalled=False),
        Flow(
            "replace",
            REPLACE,
            (Way("the same again", REPLACE, Place.DONE), Way("teardown --purge", TEARDOWN, Place.BARE)),
            setup=(MADE,),
        ),
        making("profile", "--profile", "fast", "--no-verify", setup=(MADE,)),
        making("to-vmac", "--mode", "vmac", "--no-verify", setup=(MADE,), fabric="learning"),
        making("to-garp", "--mode", "garp", "--no-verify", setup=((*MADE, "--mode", "vmac"),), fabric="learning"),
    )
}
"""name -> flow. A command that changes something gets a line here."""
