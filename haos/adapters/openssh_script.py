"""Shell text that travels to an instance: pure functions, no secrets in any of it."""

from __future__ import annotations

import re
import secrets

from haos.core.texts import here_limit

_PATH = 'PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"'

SUDO_PROBE = """\
if [ "$(id -u)" -eq 0 ]; then echo root
elif ! command -v sudo >/dev/null 2>&1; then echo missing
elif sudo -n timeout -k 2 10 sh -c :; then echo free
else echo refused
fi
"""


def new_marker() -> str:
    """Return a line that nothing else prints."""
    return f"haos-{secrets.token_hex(8)}"


def wrap(script: str, marker: str) -> str:
    """Make a script safe to be read from stdin.

    The shell reads the braces to their end before it runs anything: a script that was cut on the way runs not at
    all, and no command in it can swallow the rest. The marker ends whatever noise the login made before.
    """
    begun = f"echo {marker}; echo {marker} >&2"
    return "\n".join(["{", begun, f"LC_ALL=C; {_PATH}; export LC_ALL PATH", script, "} </dev/null", ""])


def after(marker: str, text: str) -> str | None:
    """Return what follows the marker's line, None if it never came."""
    _, found, rest = text.partition(f"{marker}\n")
    return rest if found else None


def upload(content: str) -> str:
    """Return the script that puts a file where only its user and root can read it, and prints its path."""
    limit = here_limit(content, f"OF-{secrets.token_hex(8)}")
    return (
        "umask 077\n"
        'd=$(mktemp -d "${TMPDIR:-/tmp}/haos.XXXXXXXXXX") || exit 1\n'
        f'cat >"$d/step" <<\'{limit}\' || {{ rm -rf -- "$d"; exit 1; }}\n{content}\n{limit}\n'
        "printf '%s\\n' \"$d/step\"\n"
    )


def for_any_shell(command: str) -> str:
    """Spell a command of sh so that it arrives whole whatever login shell reads it first.

    Even between quotes csh expands "!" and ends them with the line, and fish unescapes backslashes.
    """
    if not re.search(r"[!\\\x00-\x1f]", command):
        return command
    octal = "".join(f"\\0{byte:03o}" for byte in command.encode())
    return f'sh -c \'eval "exec $(printf %b "{octal}")"\''


def discard(path: str) -> str:
    """Return the script that removes an uploaded file with its folder."""
    return f"rm -rf -- '{path.rpartition('/')[0]}'\n"


def vanishing(content: str) -> str:
    """Let an uploaded file remove itself, with its folder, before it does anything else."""
    return f'rm -rf -- "${{0%/*}}"\n{content}'


def handover(marker: str, command: str) -> str:
    """Return the file that becomes `command`, with a clean stdin.

    stdin begins with the password and the marker. sudo reads the password, or leaves it if it wants none: all up
    to the marker is thrown away, byte by byte (`read`), and the rest belongs to the command.
    """
    return vanishing(
        f'while IFS= read -r line; do [ "$line" = {marker} ] && break; done\n'
        "unset line\n"
        f"LC_ALL=C; {_PATH}; export LC_ALL PATH\n"
        f"exec {command}\n"
    )
