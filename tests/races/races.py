"""The races: many runs of haos at once, each of which has to leave all of everybody's."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import openstack.connection
from openstack.config import OpenStackConfig

from haos.adapters import cloud_parse as parse
from haos.core import record
from haos.core.model import Pair, virtual_mac
from haos.core.names import default_name
from tests.races.bed import Bed, Ended, Nodes, State, at_once

MINE = "192.0.2.0/24"
"""An address pair that somebody has put on a port by hand."""
VIRTUAL = {virtual_mac(vrid, 4) for vrid in range(1, 256)}
BY_HAND = [f"198.51.100.{number}" for number in range(1, 6)]
"""Address pairs that somebody goes on adding and taking away."""


@dataclass
class Tally:
    """What all races came to; whatever was lost is told."""

    rounds: int = 0
    creates: int = 0
    vips: int = 0  # different ones, of each crowd
    vrids: int = 0
    whole: int = 0  # how a create and a teardown of one pair ended
    none: int = 0
    by_hand: int = 0  # what somebody else wrote meanwhile
    overtaken: int = 0  # 412: others have changed the port
    taken: int = 0  # 409: others have the VIP or VRID
    unnoticed: int = 0  # a write that a careless Neutron took over another
    crowds: int = 0  # creates of the crowds alone
    lost: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.creates} creates: the {self.crowds} of the crowds got {self.vips} VIPs and "
            f"{self.vrids} VRIDs, different ones in each; create beside teardown ended in the pair {self.whole} "
            f"times, in none {self.none} times; {self.by_hand} writes of another client; met: {self.taken} x 409, "
            f"{self.overtaken} x 412, {self.unnoticed} writes over another's; pairs lost: {len(self.lost)}"
        )

    def expect(self, ended: Ended, what: str) -> None:
        """See that a run ended well."""
        if ended.code:
            self.lost.append(f"{what} ended with {ended.code}: {ended.text}")


def pair_of(bed: Bed, name: str) -> Pair | None:
    """Return the pair of that name; None unless exactly one reservation stands for it."""
    found = [port for port in bed.reservations() if port["device_id"] == f"haos-{name}"]
    return record.decode(parse.port(found[0])) if len(found) == 1 else None


def missing(bed: Bed, wanted: dict[str, Nodes], before: State) -> Iterator[str]:
    """Tell what the pairs of these names lack, and what of others' is gone from their ports and nodes."""
    pairs = {name: pair_of(bed, name) for name in wanted}
    yield from (f"{name} has not one reservation" for name, pair in pairs.items() if pair is None)
    for reservation in bed.reservations():
        if reservation["tags"] and reservation["device_id"].removeprefix("haos-") in wanted:
            yield f"a mark is left on {reservation['device_id']}: {reservation['tags']}"
    by_node: dict[str, list[Pair]] = {}
    for name, pair in pairs.items():
        for node in wanted[name] if pair else ():
            by_node.setdefault(node, []).append(pair)  # type: ignore[arg-type]
    for node, own in by_node.items():
        yield from (f"{node} {complaint}" for complaint in _on_port(bed, node, own, before))
        if complaint := bed.complaint(node, own):
            yield f"{node} {complaint}"


def _on_port(bed: Bed, node: str, own: Sequence[Pair], before: State) -> Iterator[str]:
    port = bed.port_of(node)
    was = before[port["id"]]
    addresses = {pair["ip_address"] for pair in was["allowed_address_pairs"]} | {str(pair.vip) for pair in own}
    have = [pair["ip_address"] for pair in port["allowed_address_pairs"] if pair["ip_address"] not in BY_HAND]
    if sorted(have) != sorted(addresses):
        yield f"has address pairs {have}, not {addresses}"
    groups = port["security_groups"]
    if not set(was["security_groups"]) < set(groups) or len(groups) != len(was["security_groups"]) + len(own):
        yield f"has groups {groups}, not {was['security_groups']} and {len(own)} more"


def crowd(bed: Bed, rng: random.Random, tally: Tally) -> None:
    """Make all pairs at once, and take them away at once."""
    marked = [bed.port_of(two[0])["id"] for two in rng.sample(list(bed.pairs), len(bed.pairs) // 4)]
    for port_id in marked:
        _set_pairs(bed, port_id, [MINE])
    before = bed.state()
    wanted = {default_name(two): two for two in rng.sample(list(bed.pairs), len(bed.pairs))}
    made = at_once([partial(bed.create, two, name) for name, two in wanted.items()])
    for name, ended in zip(wanted, made, strict=True):
        tally.expect(ended, f"create of {name}")
    tally.creates, tally.crowds = tally.creates + len(wanted), tally.crowds + len(wanted)
    reservations = bed.reservations()
    tally.vips += len({port["fixed_ips"][0]["ip_address"] for port in reservations})
    tally.vrids += len({port["mac_address"] for port in reservations} & VIRTUAL)
    tally.lost += missing(bed, wanted, before)
    gone = at_once([partial(bed.teardown, two, name) for name, two in wanted.items()])
    for name, ended in zip(wanted, gone, strict=True):
        tally.expect(ended, f"teardown of {name}")
    tally.lost += bed.left(before)
    for port_id in marked:
        _set_pairs(bed, port_id, [])


def _set_pairs(bed: Bed, port_id: str, addresses: Sequence[str]) -> None:
    body = {"port": {"allowed_address_pairs": [{"ip_address": address} for address in addresses]}}
    assert bed.admin.neutron("PUT", f"/ports/{port_id}", body).status == 200


Race = Callable[[Bed, Nodes, State, random.Random, Tally], None]


def one_name(bed: Bed, nodes: Nodes, before: State, rng: random.Random, tally: Tally) -> None:
    """Make one pair twice at once: one pair."""
    _made_at_once(bed, nodes, ["same", "same"], before, tally)


def same_nodes(bed: Bed, nodes: Nodes, before: State, rng: random.Random, tally: Tally) -> None:
    """Make two pairs on the same nodes at once, and take them away at once."""
    _made_at_once(bed, nodes, ["one", "other"], before, tally)


def _made_at_once(bed: Bed, nodes: Nodes, names: Sequence[str], before: State, tally: Tally) -> None:
    full = [f"{name}-{nodes[0]}" for name in names]
    for ended in at_once([partial(bed.create, nodes, name) for name in full]):
        tally.expect(ended, f"create of {full} on {nodes}")
    tally.creates += len(full)
    wanted = dict.fromkeys(full, nodes)
    tally.lost += missing(bed, wanted, before)
    for ended in at_once([partial(bed.teardown, nodes, name) for name in wanted]):
        tally.expect(ended, f"teardown of {full} on {nodes}")


def create_and_teardown(bed: Bed, nodes: Nodes, before: State, rng: random.Random, tally: Tally) -> None:
    """Make a pair and, at some moment of that, take it away: it is there whole, or not at all."""
    name, after_s = f"brief-{nodes[0]}", rng.uniform(0.0, bed.run_s)
    begun = threading.Event()

    def later() -> Ended:
        begun.wait(after_s)  # nobody sets it: what is drawn is the moment
        return bed.teardown(nodes, name)

    runs: list[Callable[[], Ended]] = [partial(bed.create, nodes, name), later]
    made, gone = at_once(runs)
    tally.creates += 1
    if made.code and not (made.code == 1 and "taken away" in made.text):
        tally.expect(made, f"create of {name} beside its teardown")
    if gone.code and "no pair" not in gone.text:
        tally.expect(gone, f"teardown of {name} beside its create")
    if not any(port["device_id"] == f"haos-{name}" for port in bed.reservations()):
        tally.none += 1
        return
    tally.whole += 1
    tally.lost += missing(bed, {name: nodes}, before)
    tally.expect(bed.teardown(nodes, name), f"teardown of {name}")


def two_writers(bed: Bed, nodes: Nodes, before: State, rng: random.Random, tally: Tally) -> None:
    """Make a pair and take it away, while another client goes on writing the port of a node."""
    name, port_id = f"beside-{nodes[0]}", bed.port_of(nodes[0])["id"]
    ended, mine = threading.Event(), set[str]()
    client = plain_client(bed)

    def by_hand() -> None:
        while not ended.wait(rng.uniform(0.0, 0.2)):
            # As `openstack port set --allowed-address` does: read, add, write, with no If-Match.
            have = client.network.get_port(port_id).allowed_address_pairs
            found = {pair["ip_address"] for pair in have} & set(BY_HAND)
            if found != mine:
                tally.lost.append(f"another client's pairs on {nodes[0]} are {found}, it wrote {mine}")
            mine.symmetric_difference_update({rng.choice(BY_HAND)})
            kept = [pair for pair in have if pair["ip_address"] not in BY_HAND]
            client.network.update_port(
                port_id, allowed_address_pairs=[*kept, *({"ip_address": address} for address in sorted(mine))]
            )
            tally.by_hand += 1

    def by_haos() -> None:
        try:
            tally.expect(bed.create(nodes, name), f"create of {name} beside another client")
            tally.lost += missing(bed, {name: nodes}, before)
            tally.expect(bed.teardown(nodes, name), f"teardown of {name} beside another client")
        finally:
            ended.set()

    try:
        at_once([by_hand, by_haos])
    finally:
        client.close()
    tally.creates += 1
    have = {pair["ip_address"] for pair in bed.port(port_id)["allowed_address_pairs"]}
    was = {pair["ip_address"] for pair in before[port_id]["allowed_address_pairs"]}
    if have != was | mine:
        tally.lost.append(f"{nodes[0]} has address pairs {have}, not {was | mine}")
    _set_pairs(bed, port_id, sorted(was))


def plain_client(bed: Bed) -> Any:
    """Return openstacksdk as its users have it."""
    config = OpenStackConfig(config_files=[str(bed.clouds_yaml)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud="races"))


def races_on(bed: Bed) -> list[Race]:
    """Return the small races.

    Who writes with no If-Match in the instant between a careless Neutron's look at a revision and its writing is
    overwritten by it, and nobody can know by what.
    """
    return [same_nodes, one_name, create_and_teardown, *([] if bed.careless else [two_writers])]


def beside_each_other(bed: Bed, number: int, rng: random.Random, tally: Tally) -> None:
    """Run each of the small races, all at once: of the first nodes each has another race in each round."""
    before, races = bed.state(), races_on(bed)
    seeds = [random.Random(rng.random()) for _ in races]  # noqa: S311 - nothing secret hangs on it
    at_once(
        [
            partial(race, bed, bed.pairs[(place - number) % len(races)], before, seeds[place], tally)
            for place, race in enumerate(races)
        ]
    )
    tally.lost += bed.left(before)


def race_round(bed: Bed, number: int, tally: Tally) -> None:
    """Run everything once."""
    rng = random.Random(number)  # noqa: S311 - nothing secret hangs on it
    bed.forget_requests()
    found = len(tally.lost)
    crowd(bed, rng, tally)
    beside_each_other(bed, number, rng, tally)
    tally.lost[found:] = [f"round {number}: {each}" for each in tally.lost[found:]]
    tally.rounds += 1
    tally.taken += bed.refusals(409)
    tally.overtaken += bed.refusals(412)
    tally.unnoticed = bed.careless.taken if bed.careless else 0
