"""`haos failover-test --restore`: undo whatever a failover test that died has left, in the cloud and on the nodes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from haos.core.intent import pending
from haos.core.model import Node, Pair, Port
from haos.core.power import may_answer
from haos.errors import Interrupted, LeftoverError, RemoteError
from haos.workflow.context import Context
from haos.workflow.intent import restore_intents
from haos.workflow.parallel import attempt_each
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.settle import await_login


@dataclass(frozen=True)
class Restored:
    """What was undone, one line each."""

    pair: Pair
    done: tuple[str, ...]


def restore(name: str | None, ctx: Context) -> Restored:
    """Undo announced faults, then heal every node. Raises LeftoverError for what could not be undone, or asked."""
    try:
        return _restore(name, ctx)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: a fault may be left", hint="run the same command again") from None


def _restore(name: str | None, ctx: Context) -> Restored:
    done, left = list[str](), list[str]()
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, name)
        nodes, ports = pair_nodes(ctx.cloud, pair)
    try:
        undone, nodes, _ = undo_announced(pair, reservation, nodes, ports, ctx)
        done += undone
    except LeftoverError as error:
        left.append(error.reason)
    with ctx.progress.step("heal the nodes"):
        healed, errors = attempt_each(nodes.values(), lambda node: heal_node(node, ctx))
    done += [line for lines in healed.values() for line in lines]
    left += [f"{node.name} could not be asked: {error}" for node, error in errors.items()]
    if left:
        before = f"Restored: {'; '.join(done)}. " if done else ""
        raise LeftoverError(
            f"{before}Not restored: {'; '.join(left)}",
            hint="a fault on a node ends by the timer there; once the rest is mended: "
            f"haos failover-test --restore {pair.name}",
        )
    return Restored(pair, tuple(done))


def heal_node(node: Node, ctx: Context) -> list[str]:
    """End the fault that is there, and the watch; return what was done, a line each."""
    agent = ctx.fleet.node(node.instance)
    done = [f"healed {node.name}: a fault was left there"] if agent.heal() else []
    # Else the node takes the dead failover test for one that is at work.
    return [*done, f"ended the watch on {node.name} that a failover-test has left"] if agent.unwatch() else done


def undo_announced(
    pair: Pair, reservation: Port, nodes: dict[str, Node], ports: tuple[Port, ...], ctx: Context
) -> tuple[list[str], dict[str, Node], tuple[Port, ...]]:
    """Undo what is announced, as restore_intents; return what was done, and nodes and ports as they are afterwards.

    Waits until one can log in to the nodes that were hit; who comes next says what is wrong with one that stays away.
    """
    done = restore_intents(pair, reservation, nodes, ports, ctx)
    if not done:
        return done, nodes, ports
    nodes, ports = pair_nodes(ctx.cloud, pair)
    for intent in pending(pair, reservation):
        if intent.port_id in nodes and may_answer(nodes[intent.port_id].instance):
            _await_login(nodes[intent.port_id], ctx)
    return done, nodes, ports


def _await_login(node: Node, ctx: Context) -> None:
    """Wait until it can be logged in to; one that cannot is reported by whoever asks it next."""
    with ctx.progress.step(f"wait until {node.name} can be logged in to"), suppress(RemoteError):
        await_login(node, ctx)
