"""Why a login was refused, as far as the user's own keys and agent tell: what ssh itself passes over in silence."""

from __future__ import annotations

import os
from pathlib import Path

from haos.adapters.openssh_client import Endpoint, run_tool
from haos.errors import RemoteError

_TIMEOUT_S = 10


def keys_note(target: Endpoint) -> str | None:
    """Say what is odd about the keys that ssh had to offer; None if nothing is."""
    files = [path for path in _key_files(target) if path.is_file()]
    sealed = [path for path in files if _has_passphrase(path)]
    if not sealed and files:
        return None
    keys = f"{sealed[0]} has a passphrase" if sealed else "there is no key file"
    return f"{keys}, and {agent_state(target)}"


def agent_state(target: Endpoint) -> str:
    """Say what the agent offers that ssh would ask: a locked one says that it is empty."""
    socket = target.config.get("identityagent", "SSH_AUTH_SOCK")
    if socket.startswith(("SSH_AUTH_SOCK", "$")):
        socket = os.environ.get(socket.strip("${}"), "none")
    if socket == "none":
        return "no ssh agent is named (SSH_AUTH_SOCK)"
    try:
        listed = run_tool(["ssh-add", "-l"], timeout_s=_TIMEOUT_S, more={"SSH_AUTH_SOCK": os.path.expanduser(socket)})
    except RemoteError:
        return "your ssh agent does not answer"
    if listed.returncode == 0:
        return "your ssh agent offers no key that is accepted"
    return "your ssh agent is empty or locked" if listed.returncode == 1 else "your ssh agent does not answer"


def _key_files(target: Endpoint) -> list[Path]:
    if target.options.key:
        return [target.options.key.expanduser()]
    return [Path(name).expanduser() for name in target.config.get("identityfile", "").splitlines()]


def _has_passphrase(path: Path) -> bool:
    read = run_tool(["ssh-keygen", "-y", "-P", "", "-f", str(path)], timeout_s=_TIMEOUT_S)
    return "incorrect passphrase" in read.stderr
