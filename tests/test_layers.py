"""Import direction, read from the source: pure core ← workflows ← command line; only adapters touch the world."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "haos"
EVERYTHING = {"core", "errors", "workflow", "adapters", "view", "cli", "lab", ""}

ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "core": {"core", "errors"},
    "workflow": {"workflow", "core", "errors"},
    "adapters": {"adapters", "core", "errors", "workflow", ""},
    "view": {"view", "core", "errors", "workflow"},
    "cli": EVERYTHING,
    "lab": {"lab"},
    "": {"cli"},
}
"""room -> rooms of haos that it may import; "" is the package itself."""

THIRD_PARTY: dict[str, set[str]] = {
    "errors": set(),
    "core": set(),
    "workflow": set(),
    "adapters": {"openstack", "keystoneauth1", "tenacity", "requests"},
    "view": {"rich", "yaml"},
    "cli": {"click", "openstack"},
    "lab": set(),
    "": set(),
}
IMPURE = {"os", "subprocess", "socket", "time", "random", "threading", "pathlib", "logging", "tempfile", "urllib"}
"""What the pure core and the workflows have no business with."""


def room_of(module: str) -> str:
    """Return the room of a dotted module name below haos."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ALLOWED else ""


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted module) for every import of a file, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            yield node.lineno, node.module
            if node.module == "haos":
                yield from (
                    (node.lineno, f"haos.{alias.name}") for alias in node.names if alias.name != "__version__"
                )


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_point_inwards(path: Path) -> None:
    room = room_of(module_name(path))
    for line, target in imports(path):
        top = target.split(".")[0]
        if top == "haos":
            assert room_of(target) in ALLOWED[room], f"{path}:{line}: {room or 'haos'} imports {target}"
        elif top not in sys.stdlib_module_names:
            assert top in THIRD_PARTY[room], f"{path}:{line}: {room or 'haos'} imports {target}"
        elif room in ("core", "workflow"):
            assert top not in IMPURE or is_parallel(path, top), f"{path}:{line}: {room} imports {target}"


def is_parallel(path: Path, top: str) -> bool:
    """Threads are how workflows do independent things side by side; a lock is not the outside."""
    return top == "threading" and path.parent.name == "workflow"


def test_adapters_use_only_the_values_of_the_workflows() -> None:
    for path in sources():
        if room_of(module_name(path)) == "adapters":
            foreign = [
                target for _, target in imports(path)
                if target.startswith("haos.workflow") and target != "haos.workflow.context"
            ]  # fmt: skip
            assert not foreign, f"{path} imports {foreign}"


def test_every_room_is_known() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= set(ALLOWED), f"say in this file what {rooms - set(ALLOWED)} may import"
