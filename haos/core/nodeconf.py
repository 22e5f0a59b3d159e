"""All that one node shall carry for one pair, and whether it does already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from haos.core import record, service
from haos.core.guestnet import keep_files, keep_path
from haos.core.keepalived import (
    DROP_IN_PATH,
    HAOS_FOLDER,
    INCLUDE_LINE,
    MAIN_PATH,
    RELEASE_PATH,
    is_ours,
    main_file,
    pair_path,
    vmac_link,
)
from haos.core.model import Address, Mode, Node, Pair, ServiceCheck
from haos.core.node import NodeConfig, NodeFacts
from haos.core.render import check_files, drop_in, pair_file, release_script


def node_config(
    pair: Pair, facts: NodeFacts, member_index: int, source: Address, peers: tuple[Address, ...]
) -> NodeConfig:
    """Decide all that a node shall carry: keepalived.conf is haos's own only where there was none."""
    if facts.interface is None:
        raise ValueError("a node without the port's device cannot carry a pair")
    ours = facts.main_config is None or is_ours(facts.main_config)
    rendered = pair_file(
        pair=pair,
        member_index=member_index,
        interface=facts.interface,
        source=source,
        peers=peers,
        record=node_record(pair),
    )
    main = (main_file(realtime=facts.realtime),) if ours else ()
    files = (*keep_files(facts), release_script(), drop_in(), *check_files(pair), rendered, *main)
    return NodeConfig(
        pair=pair.name,
        vip=pair.vip,
        source=source,
        peers=peers,
        interface=facts.interface,
        vrid=pair.vrid,
        files=files,
        include_line=None if ours else INCLUDE_LINE,
        vmac=vmac_link(pair.vrid, pair.vip.version) if pair.mode is Mode.VMAC else None,
    )


def node_record(pair: Pair) -> str:
    """Return the record as node files carry it: without what changes while the files stay."""
    return record.encode(replace(pair, verified=False))


def node_configs(pair: Pair, nodes: Sequence[Node], facts: Mapping[str, NodeFacts]) -> dict[str, NodeConfig]:
    """Return what each node shall carry, by name; the nodes are in the order of the pair's members."""
    return {
        node.name: node_config(
            pair,
            facts[node.name],
            member_index=index,
            source=node.address,
            peers=tuple(peer.address for peer in nodes if peer is not node),
        )
        for index, node in enumerate(nodes)
    }


def files_there(pair: str, facts: NodeFacts) -> dict[str, str]:
    """Return path -> text of what lies on the node already, as far as haos has to do with it for a pair."""
    there = {
        MAIN_PATH: facts.main_config,
        DROP_IN_PATH: facts.drop_in,
        RELEASE_PATH: facts.release_script,
        pair_path(pair): facts.pair_files.get(pair),
        **{f"{HAOS_FOLDER}/{name}": text for name, text in facts.check_files.items()},
        **({keep_path(facts.network_file): facts.keep_file} if facts.network_file else {}),
    }
    return {path: text for path, text in there.items() if text is not None}


def is_included(config: NodeConfig, facts: NodeFacts) -> bool:
    """Say whether the include line stands in a keepalived.conf that is not ours, or is not needed."""
    return config.include_line is None or config.include_line in (facts.main_config or "").splitlines()


def config_current(config: NodeConfig, facts: NodeFacts) -> bool:
    """Say whether the node already carries all of it."""
    there = files_there(config.pair, facts)
    in_place = all(there.get(file.path) == file.text for file in config.files)
    return is_included(config, facts) and in_place and config.pair not in facts.withdrawn


def kept_checks(pair: str, facts: Mapping[str, NodeFacts]) -> tuple[ServiceCheck, ...]:
    """Return the service checks that the nodes' own files keep for a pair: the first node's that has the pair."""
    texts = (seen.pair_files[pair] for seen in facts.values() if pair in seen.pair_files)
    return next((service.checks_of(text) for text in texts), ())
