"""What haos leaves, and has meanwhile, on the machine where it runs: for nobody else, whatever the umask is."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from haos.adapters.hostkeys import KnownHostsCache
from haos.adapters.private import ForeignError, open_private, private_folder, read_private
from haos.cli import pair_cache
from haos.core.hostkeys import HostKey, parse_key
from tests.adapters.openssh_server import INSTANCE, Client, Sshd
from tests.security.scene import PAIR, Scene, scene
from tests.security.test_secrets import by_password

__all__ = ["scene"]

NOBODY = 65534
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBm1YVRyJ3GYuQqGGQ7xVZ0AxCDEnpAvOZAOZBd4PNxg"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user's")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=lambda mask: f"umask {mask:03o}")
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def key() -> HostKey:
    found = parse_key(KEY)
    assert found is not None
    return found


def open_to_others(folder: Path) -> dict[str, str]:
    """Return what of a folder others can read or write, with its mode."""
    modes = {path: path.lstat().st_mode for path in (folder, *folder.rglob("*")) if not path.is_symlink()}
    return {str(path): f"{stat.S_IMODE(mode):04o}" for path, mode in modes.items() if mode & 0o077}


def test_a_run_has_and_leaves_nothing_for_others(scene: Scene, umask: int) -> None:
    scene.set(XDG_CACHE_HOME=str(scene.home / "not-there/cache"), HAOS_TEST_UNKNOWN="yes")
    scene.reserve()
    by_password(scene)
    scene.run("list")
    _, texts = scene.run("check", PAIR, "--accept-new-host-keys")
    seen = {line for where, text in texts.items() if where.startswith("calls/") for line in text.splitlines()}
    ours = (str(scene.tmp), str(scene.home / "not-there/cache/haos"))
    modes = {line for line in seen if line.startswith("mode ") and line.split(maxsplit=3)[3].startswith(ours)}
    kinds = {re.sub(r"^mode (\d+) (\w) .*?([\w-]+?)\d*(\.log|\.json)?$", r"\1 \2 \3\4", line) for line in modes}
    assert {"600 f known-", "600 f m.log", "600 f pairs.json", "700 d haos"} <= kinds
    assert [line for line in modes if not line.startswith(("mode 700 d ", "mode 600 f "))] == []
    assert open_to_others(scene.home / "not-there/cache/haos") == {}
    assert stat.S_IMODE((scene.home / "haos.log").stat().st_mode) == 0o600
    assert not list(scene.tmp.iterdir())


def test_what_is_kept_is_for_nobody_else(tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = pair_cache.cache_dir(os.environ)
    KnownHostsCache(folder).replace("haos-1", [key()])
    pair_cache.remember([], os.environ, found=[PAIR])
    assert {path.name for path in folder.iterdir()} == {"known_hosts", "known_hosts.lock", "pairs.json"}
    assert open_to_others(tmp_path / "cache") == {}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    server = Sshd(tmp_path).start()
    made = Client(server, tmp_path).trust()
    yield made
    made.close()
    server.stop()


@pytest.mark.real
def test_the_control_socket_is_for_nobody_else(client: Client, umask: int) -> None:
    gateway = client.gateway()
    gateway.connect(INSTANCE).run("true", timeout_s=10, what="t")
    folder = gateway._workdir
    assert [path for path in folder.iterdir() if stat.S_ISSOCK(path.stat().st_mode)]
    assert open_to_others(folder) == {}


@as_root
@pytest.mark.parametrize("where", ["folder", "link", "file"])
def test_what_somebody_else_has_put_there_is_not_believed(
    tmp_path: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "cache"
    cache = KnownHostsCache(folder)
    cache.replace("haos-1", [key()])
    pair_cache.remember([], {"XDG_CACHE_HOME": str(tmp_path)}, found=[PAIR])
    match where:
        case "folder":
            os.chown(folder, NOBODY, NOBODY)
        case "file":
            os.chown(cache.path, NOBODY, NOBODY)
        case "link":
            folder.rename(tmp_path / "elsewhere")
            folder.symlink_to(tmp_path / "elsewhere")
            os.lchown(folder, NOBODY, NOBODY)
    with caplog.at_level(logging.WARNING):
        assert cache.keys("haos-1") == ()
    assert "belongs to another user" in caplog.text
    before = cache.path.read_bytes()
    if where != "file":
        cache.replace("haos-1", [])
        assert cache.path.read_bytes() == before


@as_root
def test_names_that_somebody_else_has_put_there_are_not_offered(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    pair_cache.remember([], environ, found=[PAIR])
    assert pair_cache.names([], environ) == [PAIR]
    os.chown(tmp_path / "haos", NOBODY, NOBODY)
    assert pair_cache.names([], environ) == []
    pair_cache.remember([], environ, found=["other"])
    assert "other" not in (tmp_path / "haos/pairs.json").read_text()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_could_write_is_not_read_and_then_closed(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    cache = KnownHostsCache(folder)
    cache.replace("haos-1", [key()])
    folder.chmod(mode)
    assert cache.keys("haos-1") == ()
    with pytest.raises(ForeignError, match="can be written by other users"):
        read_private(cache.path)
    private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (tmp_path / "known_hosts.lock").symlink_to(victim)
    KnownHostsCache(tmp_path).replace("haos-1", [key()])
    with pytest.raises(OSError, match="symbolic link"):
        open_private(tmp_path / "known_hosts.lock")
    assert victim.read_text() == "untouched"
    assert not (tmp_path / "known_hosts").exists()
