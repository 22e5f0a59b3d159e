"""All that one node shall carry for one pair, and whether it does already."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address

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

_PEERS = re.compile(r"^    unicast_peer \{\n((?: {8}[0-9a-fA-F.:]+\n)+)    \}$", re.MULTILINE)
FOLDER_KEPT = "750 0 0"
"""Mode, owner and group of haos's folder on a node, as configure.sh gives them."""


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
    return record.encode(replace(pair, verified=False, floating=None))


def node_configs(pair: Pair, nodes: Sequence[Node], facts: Mapping[str, NodeFacts]) -> dict[str, NodeConfig]:
    """Return what each node that has facts shall carry, by name; the nodes are in the order of the pair's members."""
    return {
        node.name: node_config(
            pair,
            facts[node.name],
            member_index=index,
            source=node.address,
            peers=tuple(peer.address for peer in nodes if peer is not node),
        )
        for index, node in enumerate(nodes)
        if node.name in facts
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


def ill_kept(config: NodeConfig, facts: NodeFacts) -> tuple[str, ...]:
    """Return the paths of what differs by its mode or owner alone: others may read it, or write what root runs."""
    there = files_there(config.pair, facts)
    files = {file.path: file.kept for file in config.files if there.get(file.path) == file.text}
    wanted = {HAOS_FOLDER: FOLDER_KEPT, **files}
    return tuple(path for path, kept in wanted.items() if facts.modes.get(path, kept) != kept)


def is_included(config: NodeConfig, facts: NodeFacts) -> bool:
    """Say whether the include line stands in a keepalived.conf that is not ours, or is not needed."""
    return config.include_line is None or config.include_line in (facts.main_config or "").splitlines()


def mode_on(pair: str, facts: NodeFacts) -> Mode | None:
    """Return the mode that a pair has on a node, by its own file there; None where it has none.

    The record says what is wanted: a run that was killed may have got no further than to write it.
    """
    text = facts.pair_files.get(pair)
    if text is None:
        return None
    return Mode.VMAC if re.search(r"^# haos-vmac: ", text, re.MULTILINE) else Mode.GARP


def peers_there(pair: str, facts: NodeFacts) -> tuple[Address, ...]:
    """Return the peers that a node's own file names for a pair, in its order; none where it cannot be read."""
    named = _PEERS.search(facts.pair_files.get(pair, ""))
    try:
        return tuple(ip_address(word) for word in named[1].split()) if named else ()
    except ValueError:
        return ()


def configs_there(pair: Pair, nodes: Sequence[Node], facts: Mapping[str, NodeFacts]) -> dict[str, NodeConfig]:
    """Return what the record's pair means for each node, in the mode that the node has it in."""
    modes = {node.name: mode_on(pair.name, facts[node.name]) or pair.mode for node in nodes if node.name in facts}
    by_mode = {mode: node_configs(replace(pair, mode=mode), nodes, facts) for mode in set(modes.values())}
    return {name: by_mode[mode][name] for name, mode in modes.items()}


def config_current(config: NodeConfig, facts: NodeFacts) -> bool:
    """Say whether the node already carries all of it."""
    return not differences(config, facts) and config.pair not in facts.withdrawn


def differences(config: NodeConfig, facts: NodeFacts) -> tuple[str, ...]:
    """Return the paths of the files that are not on the node as they should be."""
    there = files_there(config.pair, facts)
    differing = [file.path for file in config.files if there.get(file.path) != file.text]
    differing += ill_kept(config, facts)
    return tuple(differing if is_included(config, facts) else [*differing, MAIN_PATH])


def kept_checks(pair: str, facts: Mapping[str, NodeFacts]) -> dict[str, tuple[ServiceCheck, ...]]:
    """Return the service checks that each node's own file keeps for a pair, by the name of the node that has it."""
    return {name: service.checks_of(seen.pair_files[pair]) for name, seen in facts.items() if pair in seen.pair_files}
