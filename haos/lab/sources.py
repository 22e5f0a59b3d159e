"""Where this machine gets Debian packages from: its own mirror and proxy if it is a Debian of the image's release."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

SUITE = "bookworm"
SUITES = (SUITE, f"{SUITE}-updates", f"{SUITE}-security")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
ARCHIVE = (
    ("http://deb.debian.org/debian", SUITE),
    ("http://deb.debian.org/debian", f"{SUITE}-updates"),
    ("http://deb.debian.org/debian-security", f"{SUITE}-security"),
)
TARGETS = ("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Identifier: Packages")
SETTINGS = ("http", "https", "Retries", "ForceIPv4", "ForceIPv6", "Check-Valid-Until")


def source_lines() -> list[str]:
    """Return lines for sources.list."""
    found = list(debian_mirrors(_output(TARGETS).splitlines())) if _is_same_release() else []
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    return [f"deb {signed}{uri} {suite} main" for uri, suite in found or ARCHIVE]


def debian_mirrors(targets: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pick Debian's own archives out of `apt-get indextargets`; each once."""
    seen = set()
    for line in targets:
        uri, suite, component = line.split(" ")
        name = uri.rstrip("/").rpartition("/")[2]
        pair = (uri.rstrip("/"), suite)
        if suite in SUITES and component == "main" and name.startswith("debian") and pair not in seen:
            seen.add(pair)
            yield pair


def apt_settings() -> str:
    """Return how apt reaches the network here, as apt.conf lines."""
    prefixes = tuple(f"Acquire::{name}" for name in SETTINGS)
    lines = _output(("apt-config", "dump", "Acquire")).splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith(prefixes))


def _is_same_release() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and f"VERSION_CODENAME={SUITE}" in release.read_text().splitlines()


def _output(argv: tuple[str, ...]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ""  # no apt here: the public archive serves
