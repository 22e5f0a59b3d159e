"""The names of pairs that were seen last, for completion alone: its loss costs a Tab, nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from haos.adapters.private import private_folder, read_private
from haos.core.names import NAME

PROJECT_OPTIONS = ("--os-project-name", "--os-project-id")
PROJECT_VARIABLES = ("OS_PROJECT_NAME", "OS_PROJECT_ID")
LARGEST_BYTES = 100_000


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Return haos's own cache folder (XDG Base Directory Specification)."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "haos"


def key(openstack: Sequence[str], environ: Mapping[str, str]) -> str:
    """Name cloud and project by what the command line and the environment say of them: no request is made for it."""
    url = _chosen(openstack, environ, ("--os-auth-url",), ("OS_AUTH_URL",))
    # A URL may have a password in it.
    cloud = _chosen(openstack, environ, ("--os-cloud",), ("OS_CLOUD",)) or re.sub(r"//[^/]*@", "//", url)
    return f"{cloud} {_chosen(openstack, environ, PROJECT_OPTIONS, PROJECT_VARIABLES)}"


def _chosen(
    openstack: Sequence[str], environ: Mapping[str, str], options: Sequence[str], variables: Sequence[str]
) -> str:
    for index, word in enumerate(openstack):
        name, equals, value = word.partition("=")
        if name in options:
            return value if equals else (openstack[index + 1] if index + 1 < len(openstack) else "")
    return next((environ[name] for name in variables if environ.get(name)), "")


def names(openstack: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return the names remembered for this cloud and project."""
    return sorted(_read(environ).get(key(openstack, environ), []))


def remember(
    openstack: Sequence[str], environ: Mapping[str, str], *, found: Iterable[str] = (), gone: Iterable[str] = ()
) -> None:
    """Add and take away names; a cache that cannot be written is left alone."""
    there = _read(environ)
    here = key(openstack, environ)
    changed = (set(there.get(here, [])) | set(found)) - set(gone)
    _write(environ, {**there, here: sorted(changed)})


def replace(openstack: Sequence[str], environ: Mapping[str, str], found: Iterable[str]) -> None:
    """Set the names of this cloud and project."""
    _write(environ, {**_read(environ), key(openstack, environ): sorted(set(found))})


def _file(environ: Mapping[str, str]) -> Path:
    return cache_dir(environ) / "pairs.json"


def _read(environ: Mapping[str, str]) -> dict[str, list[str]]:
    # Every entry is checked: the file may be half written, or anybody's.
    with contextlib.suppress(OSError, ValueError):
        there = json.loads(read_private(_file(environ), LARGEST_BYTES))
        if isinstance(there, dict):
            return {
                str(where): [name for name in listed if isinstance(name, str) and NAME.fullmatch(name)]
                for where, listed in there.items()
                if isinstance(listed, list)
            }
    return {}


def _write(environ: Mapping[str, str], there: Mapping[str, Sequence[str]]) -> None:
    with contextlib.suppress(OSError):
        path = _file(environ)
        private_folder(path.parent)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".pairs", delete=False) as file:
            json.dump({where: listed for where, listed in there.items() if listed}, file)
        os.replace(file.name, path)
