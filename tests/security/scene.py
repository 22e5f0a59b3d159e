"""haos run with marked secrets against the lab's API, and everything that it wrote or said to anybody."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from haos.cli.main import main
from haos.core.model import Added, Member, Pair, virtual_mac
from haos.core.record import encode
from haos.lab.api import CREDENTIAL, Cloud, Server, howto
from haos.lab.model import IdleWorld
from tests.contract.client import Client, Credentials
from tests.security.marks import Mark, leaks

PASSWORD = Mark("Qz7osPassword")
SECRET = Mark("Kw3appCredential")
SUDO = Mark("Vb9sudoPassword")
URL_PASSWORD = Mark("Xn4urlPassword")
WRONG = Mark("Jt6wrongPassword")
MARKS = (PASSWORD, SECRET, SUDO, URL_PASSWORD, WRONG)
BIN = Path(__file__).parent / "bin"
PAIR = "web"
PORTS = {
    "ha_first": "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca",
    "ha_second": "e220e2d9-f4de-4941-92e0-640ee352aa4f",
}
LOGGERS = ("", "haos", "keystoneauth", "openstack", "urllib3", "requests", "stevedore", "keystoneauth.session")


@dataclass
class Scene:
    """A cloud with secrets of ours, and a home in which haos is run."""

    server: Server
    home: Path
    tmp: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def auth_url(self) -> str:
        """Where Keystone is."""
        return f"{self.server.url}/identity/v3"

    def login(self) -> Client:
        """Log in as the member."""
        client = Client(self.auth_url)
        assert client.login(Credentials(self.auth_url, "demo", PASSWORD.value, "demo")).status == 201
        return client

    def set(self, **variables: str) -> None:
        """Set variables of the environment."""
        for name, value in variables.items():
            self.monkeypatch.setenv(name, value)

    def password(self, **others: str) -> dict[str, str]:
        """Return the variables of a login by password."""
        known = {"AUTH_URL": self.auth_url, "USERNAME": "demo", "PASSWORD": PASSWORD.value, "PROJECT_NAME": "demo"}
        known |= {"USER_DOMAIN_NAME": "Default", "PROJECT_DOMAIN_NAME": "Default"} | others
        return {f"OS_{name}": value for name, value in known.items()}

    def reserve(self) -> None:
        """Make the reservation of a pair, as haos makes one."""
        client = self.login()
        first = client.neutron("GET", f"/ports/{PORTS['ha_first']}").body["port"]
        nodes = tuple(Member(key, 250 - number, Added.PAIR) for number, key in enumerate(PORTS.values()))
        pair = Pair(PAIR, first["network_id"], first["project_id"], ip_address("10.200.51.7"), 7, nodes)
        port = {
            "network_id": pair.network_id,
            "fixed_ips": [{"ip_address": str(pair.vip)}],
            "mac_address": virtual_mac(7, 4),
            "name": f"haos-vip-{PAIR}",
            "device_id": f"haos-{PAIR}",
            "device_owner": "haos:vip",
            "description": encode(pair),
        }
        assert client.neutron("POST", "/ports", {"port": port}).status == 201
        client.close()

    def run(self, *argv: str) -> tuple[int, dict[str, str]]:
        """Run haos with everything that it can say switched on; return its exit code and all that it wrote where."""
        more = ("-v", "--debug", "--timing", "--log-file", str(self.home / "haos.log"))
        with _own_loggers(), pytest.raises(SystemExit) as stop:
            main([*more, *argv])
        out, err = self.capsys.readouterr()
        return int(stop.value.code or 0), {"stdout": out, "stderr": err, **self.written()}

    def written(self) -> dict[str, str]:
        """Return every file below home that haos, or a program that it started, has written."""
        ours = ("clouds.yaml", "secure.yaml")
        assert not list(self.tmp.iterdir()), "temporary files are taken away"
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.home) if path.is_relative_to(self.home) else path): path.read_text(
                errors="replace"
            )
            for path in files
            if path.name not in ours
        }


def told(texts: Mapping[str, str], *more: Mark) -> dict[str, list[str]]:
    """Return where a secret was told, and which."""
    found = {where: leaks(text, (*MARKS, *more)) for where, text in texts.items()}
    return {where: what for where, what in found.items() if what}


@contextmanager
def _own_loggers() -> Iterator[None]:
    """Leave the loggers as they were: --debug adds handlers of its own."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(list(each.handlers), each.level, each.propagate) for each in loggers]
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    """A cloud, and a home with nothing in it."""
    seed = howto()
    users = tuple(replace(user, password=PASSWORD.value) for user in seed.users)
    credential = replace(CREDENTIAL, secret=SECRET.value)
    cloud = Cloud(replace(seed, users=users, credentials=(credential,)), IdleWorld())
    cloud.power_on()
    server = cloud.serve()
    for name in [name for name in os.environ if name.startswith("OS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    home, tmp = tmp_path / "home", Path(tempfile.mkdtemp(dir="/tmp"))  # a short path: sockets lie there
    (home / "calls").mkdir(parents=True)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("TMPDIR", str(tmp))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("HAOS_TEST_CALLS", str(home / "calls"))
    monkeypatch.setenv("HAOS_SUDO_PASSWORD", SUDO.value)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(home)
    made = Scene(server, home, tmp, monkeypatch, capsys)
    try:
        yield made
    finally:
        cloud.settle()
        server.close()
        shutil.rmtree(tmp)
