"""The base image's cache: rebuilt when the recipe changes, never used half built, old ones removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from haos.lab import bootstrap, image, sources
from haos.lab.errors import LabError
from haos.lab.paths import images_dir


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """An empty cache and a builder that only notes what it built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(image, "is_root", lambda: True)
    monkeypatch.setattr(image, "mapped", lambda: [])
    built: list[Path] = []

    def pretend(root: Path, log: Path, progress: object) -> None:
        (root / "etc").mkdir()
        built.append(root)

    monkeypatch.setattr(bootstrap, "bootstrap", pretend)
    return built


def quiet(line: str) -> None:
    pass


def test_image_is_built_once(built: list[Path]) -> None:
    first = image.ensure(quiet, list)
    assert (first / "etc").is_dir()
    assert image.ensure(quiet, list) == first
    assert len(built) == 1


def test_progress_tells_a_newcomer_what_takes_so_long(built: list[Path]) -> None:
    lines: list[str] = []
    image.ensure(lines.append, list)
    assert "once" in lines[0]
    assert "ready" in lines[-1]


def test_changed_recipe_makes_another_image(
    built: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = image.ensure(quiet, list)
    recipe = tmp_path / "recipe"
    shutil.copytree(bootstrap.RECIPE, recipe)
    monkeypatch.setattr(image, "RECIPE", recipe)
    assert image.image_root() == first
    (recipe / "masked-units").write_text("other.service\n")
    second = image.ensure(quiet, list)
    assert second != first
    assert not first.exists()


def test_older_image_in_use_stays(built: list[Path], tmp_path: Path) -> None:
    used = tmp_path / "haos/images/0123-root/root"
    used.mkdir(parents=True)
    image.ensure(quiet, lambda: [used])
    assert used.exists()


def test_failed_build_leaves_nothing_to_be_taken_for_an_image(
    built: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: Path, log: Path, progress: object) -> None:
        (root / "etc").mkdir()
        raise LabError("no network")

    monkeypatch.setattr(bootstrap, "bootstrap", fail)
    with pytest.raises(LabError, match="no network"):
        image.ensure(quiet, list)
    assert not image.image_root().exists()
    assert list(images_dir().iterdir()) == []


TARGETS = """\
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian-security bookworm-security main
http://mirror.example/debian bookworm contrib
http://packages.example/apt bookworm main
http://docker.example/linux/debian bookworm stable
http://mirror.example/debian trixie main
"""


def test_only_debians_own_archive_of_the_release_is_taken_from_the_machine() -> None:
    assert list(sources.debian_mirrors(TARGETS.splitlines())) == [
        ("http://mirror.example/debian", "bookworm"),
        ("http://mirror.example/debian-security", "bookworm-security"),
    ]


def test_public_archive_serves_on_another_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_is_same_release", lambda: False)
    lines = sources.source_lines()
    assert any("http://deb.debian.org/debian bookworm main" in line for line in lines)
