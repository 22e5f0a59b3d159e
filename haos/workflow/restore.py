"""`haos failover-test --restore`: undo whatever a failover test that died has left, in the cloud and on the nodes."""

from __future__ import annotations

from dataclasses import dataclass

from haos.core.model import Pair
from haos.errors import Interrupted, LeftoverError
from haos.workflow.context import Context
from haos.workflow.intent import restore_intents
from haos.workflow.parallel import attempt_each
from haos.workflow.resolve import find_pair, pair_nodes


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
        done += restore_intents(pair, reservation, nodes, ports, ctx)
    except LeftoverError as error:
        left.append(error.reason)
    with ctx.progress.step("heal the nodes"):
        healed, errors = attempt_each(nodes.values(), lambda node: ctx.fleet.node(node.instance).heal())
    done += [f"healed {node.name}: a fault was left there" for node, was_there in healed.items() if was_there]
    left += [f"{node.name} could not be asked: {error}" for node, error in errors.items()]
    if left:
        before = f"Restored: {'; '.join(done)}. " if done else ""
        raise LeftoverError(
            f"{before}Not restored: {'; '.join(left)}",
            hint="a fault on a node ends by the timer there; once the rest is mended: "
            f"haos failover-test --restore {pair.name}",
        )
    return Restored(pair, tuple(done))
