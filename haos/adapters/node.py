"""A node, over one connection: each method is one POSIX sh script from `scripts/`, run as root under one lock."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from haos.adapters.node_faults import FaultSide
from haos.adapters.node_steps import INSTALL_TIMEOUT_S, LOOK_TIMEOUT_S
from haos.core import keepalived, node_parse
from haos.core.model import Address
from haos.core.names import check_name
from haos.core.node import NodeConfig, NodeFacts, NodeFile, Removal, Removed, Sight, Survey


class Node(FaultSide):
    """A NodeAgent. Raises StepError, with the script's own reason, when a step fails there."""

    def facts(self, mac: str) -> NodeFacts:
        """Look at the node; `mac` names the port's device. Changes nothing."""
        return self._read("facts", {}, "looking at it", lambda out: node_parse.parse_facts(out, mac))

    def install_keepalived(self) -> str:
        """Install the package (no service is started by it) and mark it as ours; return its version."""
        lines = self._read("install", {}, "installing keepalived", node_parse.parse_lines, INSTALL_TIMEOUT_S)
        return node_parse.parse_version(dict(lines)["version"])

    def packager(self) -> str | None:
        """Return who works with packages there, beside haos, so that an installation has to wait; None: nobody."""
        return dict(self._read("packager", {}, "looking who works with packages", node_parse.parse_lines)).get(
            "packager"
        )

    def configure(self, config: NodeConfig) -> bool:
        """Put the files in place, tested before and after; return whether anything changed. Starts nothing."""
        what = f"configuring pair {config.pair}"
        lines = self._read("configure", _parameters(config), what, node_parse.parse_lines)
        return ("changed", "yes") in lines

    def activate(self) -> None:
        """Enable the daemon and let it run the files that are there now: start it, or reload it."""
        self._step("activate", {}, "activating keepalived")

    def weigh(self, pair: str, weight: int) -> None:
        """Let this pair's instance count so much more, or less, than its priority says; returns once it does."""
        what = f"weighing pair {pair}"
        self._step("weigh", {"PAIR": check_name(pair), "WEIGHT": str(weight)}, what)

    def sight(self, pair: str, vip: Address) -> Sight:
        """Ask for the node's own view of the pair."""
        instance = keepalived.instance_name(pair)
        parameters = {"PAIR": pair, "VIP": str(vip)}
        return self._read(
            "sight", parameters, f"asking for pair {pair}", lambda out: node_parse.parse_sight(out, instance)
        )

    def survey(self, own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        """Ask the segment of an address of its own who has others; listen for VRRP meanwhile. Changes nothing."""
        parameters = {
            "OWN": str(own),
            "ADDRESSES": " ".join(str(address) for address in addresses),
            "LISTEN_S": f"{listen_s:g}",
        }
        what = "asking on the segment"
        return self._read("survey", parameters, what, node_parse.parse_survey, LOOK_TIMEOUT_S + listen_s)

    def remove(self, removal: Removal) -> Removed:
        """Take the pair off the node; the shared files go with the last pair. Safe to repeat."""
        parameters = {
            "PAIR": check_name(removal.pair),
            "VIP": str(removal.vip),
            "PURGE": "yes" if removal.purge_package else "no",
            "RETURNING": "yes" if removal.returning else "no",
        }
        what = f"removing pair {removal.pair}"
        return self._read("remove", parameters, what, node_parse.parse_removed, INSTALL_TIMEOUT_S)


def _parameters(config: NodeConfig) -> dict[str, str]:
    parameters = {
        "PAIR": check_name(config.pair),
        "INTERFACE": config.interface,
        "SOURCE": str(config.source),
        "PEERS": " ".join(str(peer) for peer in config.peers),
        "VRID": str(config.vrid),
        "VERSION": str(config.vip.version),
        "INCLUDE_LINE": config.include_line or "",
        "VMAC": config.vmac or "",
        "FILE_COUNT": str(len(config.files)),
    }
    for index, file in enumerate(config.files):
        parameters.update(_file_parameters(f"FILE_{index}", file))
    return parameters


def _file_parameters(prefix: str, file: NodeFile) -> dict[str, str]:
    data = file.text.encode()
    return {
        f"{prefix}_PATH": file.path,
        f"{prefix}_MODE": f"{file.mode:04o}",
        f"{prefix}_DATA": base64.b64encode(data).decode(),
        f"{prefix}_BYTES": str(len(data)),
    }
