"""The instances' base image: one Debian tree per recipe, built once, read-only under all instances of all labs."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from haos.lab import bootstrap, sources
from haos.lab.bootstrap import RECIPE, Progress
from haos.lab.locks import locked
from haos.lab.namespaces import environment, is_root, mapped
from haos.lab.paths import images_dir


def recipe_hash() -> str:
    """Identify all that decides what an image holds."""
    digest = hashlib.sha256(platform.machine().encode())
    for path in (*sorted(RECIPE.iterdir()), Path(bootstrap.__file__), Path(sources.__file__)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def image_root() -> Path:
    """Return where the image of today's recipe is or will be."""
    return images_dir() / f"{recipe_hash()}-{'root' if is_root() else 'user'}" / "root"


def ensure(progress: Progress, in_use: Callable[[], Iterable[Path]]) -> Path:
    """Return the image's tree, building it if there is none; older images that no lab uses are removed then."""
    root = image_root()
    if root.exists():
        return root
    images_dir().mkdir(parents=True, exist_ok=True)
    with locked(images_dir()):
        if not root.exists():
            progress("building the instances' base image: once, about a minute")
            build(root, progress)
            remove_others(root, in_use())
    return root


def build(root: Path, progress: Progress) -> None:
    """Build the image aside and put it in place as a whole."""
    new = root.parent.with_suffix(".new")
    remove(new)
    (new / "root").mkdir(parents=True)
    try:
        bootstrap.bootstrap(new / "root", images_dir() / "build.log", progress)
        new.rename(root.parent)
    finally:
        remove(new)
    progress("the base image is ready")


def remove(tree: Path) -> None:
    """Remove a tree that may hold files of the instances' users."""
    if tree.exists():
        subprocess.run([*mapped(), "rm", "-rf", "--", str(tree)], env=environment(), check=True)


def remove_others(root: Path, in_use: Iterable[Path]) -> None:
    """Remove every image of this kind of user but the given one and those in use."""
    kind = root.parent.name.rpartition("-")[2]
    keep = {root.parent, *(used.parent for used in in_use)}
    for other in images_dir().glob(f"*-{kind}"):
        if other not in keep:
            remove(other)
