"""Trust in host keys, against a real sshd: the five ways in their order, and every way in which trust is refused."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from haos.adapters.hostkeys import KnownHostsCache
from haos.core.hostkeys import HostKey, parse_key
from haos.errors import CloudError, HostKeyError, RebuiltError
from tests.adapters.openssh_server import INSTANCE, Client, Sshd, make_key

pytestmark = pytest.mark.real

ALIAS = f"haos-{INSTANCE.id}"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture
def client(shared_server: Sshd, tmp_path: Path) -> Iterator[Client]:
    client = Client(shared_server, tmp_path)
    yield client
    client.close()


@pytest.fixture
def other_key(tmp_path: Path) -> str:
    return " ".join(make_key(tmp_path / "other").with_suffix(".pub").read_text().split()[:2])


def connects(client: Client) -> bool:
    with client.gateway() as gateway:
        return gateway.connect(INSTANCE).run("echo hello", timeout_s=5, what="test").stdout == "hello\n"


def refused(client: Client) -> HostKeyError:
    with client.gateway() as gateway, pytest.raises(HostKeyError) as caught:
        gateway.connect(INSTANCE)
    return caught.value


def test_1_users_known_hosts_comes_first_and_nothing_else_is_asked(client: Client) -> None:
    assert connects(client.trust())
    assert client.console_reads == []
    assert not client.cache.exists()


def test_1_hashed_entry_counts(client: Client) -> None:
    client.trust()
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", client.known_hosts], check=True, capture_output=True)
    assert "127.0.0.1" not in client.known_hosts.read_text()
    assert connects(client)


def test_1_entry_of_host_key_alias_counts(client: Client) -> None:
    client.configure("HostKeyAlias my-web")
    client.known_hosts.write_text(f"my-web {client.server.public_key}\n")
    assert connects(client)


def test_1_known_hosts_whose_path_has_a_space(client: Client) -> None:
    folder = client.folder / "my files"
    folder.mkdir()
    (folder / "known hosts").write_text(f"127.0.0.1 {client.server.public_key}\n")
    client.configure("Host *", f'  UserKnownHostsFile "{folder}/known hosts" "{folder}/second"')
    assert connects(client)


def test_1_certificate_of_users_ca(tmp_path: Path) -> None:
    server = Sshd(tmp_path)
    authority = make_key(tmp_path / "ca")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "web", "-h", "-n", "127.0.0.1", f"{server.host_key}.pub"]
    subprocess.run(sign, check=True, capture_output=True)
    server.extra.append(f"HostCertificate {server.host_key}-cert.pub")
    server.start()
    client = Client(server, tmp_path)
    try:
        client.known_hosts.write_text(f"@cert-authority * {authority.with_suffix('.pub').read_text()}")
        assert connects(client)
    finally:
        client.close()
        server.stop()


def test_1_ca_that_did_not_sign_leaves_the_host_unknown(client: Client, other_key: str) -> None:
    client.known_hosts.write_text(f"@cert-authority * {other_key}\n")
    client.console = client.server.console
    assert connects(client)
    assert client.console_reads == [INSTANCE.id]


def test_1_changed_key_is_refused_although_the_console_knows_it(client: Client, other_key: str) -> None:
    client.console = client.server.console
    client.options = replace(client.options, accept_new_host_keys=True)
    client.known_hosts.write_text(f"[127.0.0.1]:{client.server.port} {other_key}\n")
    error = refused(client)
    assert f"{client.known_hosts}:1" in error.reason
    assert error.hint is not None
    assert f"ssh-keygen -R '[127.0.0.1]:{client.server.port}' -f {client.known_hosts}" in error.hint
    assert client.console_reads == []


def test_1_host_pinned_by_a_key_of_another_type_is_not_unknown(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "ecdsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", path], check=True)
    client.known_hosts.write_text(f"127.0.0.1 {path.with_suffix('.pub').read_text()}")
    client.options = replace(client.options, accept_new_host_keys=True)
    assert "is not the one in" in refused(client).reason


@pytest.mark.parametrize("name", ["*", "[127.0.0.1]:*"])
def test_1_revoked_key_is_refused_in_every_way(client: Client, name: str) -> None:
    client.known_hosts.write_text(f"@revoked {name} {client.server.public_key}\n")
    client.console = client.server.console
    client.options = replace(client.options, accept_new_host_keys=True)
    assert "revoked" in refused(client).reason
    KnownHostsCache(client.cache.parent).replace(ALIAS, [key_of(client.server)])
    assert "revoked" in refused(client).reason


def test_2_cache_is_used_before_the_console(client: Client) -> None:
    client.console = client.server.console
    assert connects(client)
    client.console = None
    assert connects(client)
    assert client.cache.read_text() == f"{ALIAS} {client.server.public_key}\n"
    assert client.cache.stat().st_mode & 0o777 == 0o600
    assert client.cache.parent.stat().st_mode & 0o777 == 0o700


def test_2_cache_is_by_instance_so_a_reused_address_matches_no_old_key(client: Client, other_key: str) -> None:
    client.cache.parent.mkdir()
    client.cache.write_text(f"haos-another-instance {other_key}\n127.0.0.1 {other_key}\n")
    client.console = client.server.console
    assert connects(client)
    assert len(client.cache.read_text().splitlines()) == 3


@pytest.mark.parametrize("rebuilt", [True, False])
def test_2_changed_key_is_refused_and_rebuilding_is_named(client: Client, other_key: str, rebuilt: bool) -> None:
    client.cache.parent.mkdir()
    client.cache.write_text(f"{ALIAS} {other_key}\n")
    client.console = client.server.console if rebuilt else "rolled over"
    client.options = replace(client.options, accept_new_host_keys=True)
    error = refused(client)
    assert str(client.cache) in error.reason
    assert ("it was rebuilt" in error.reason) is isinstance(error, RebuiltError) is rebuilt
    assert error.hint is not None
    assert f"ssh-keygen -R {ALIAS} -f {client.cache}" in error.hint
    assert other_key in client.cache.read_text()


def test_3_console_is_believed(client: Client) -> None:
    client.console = client.server.console
    client.consent = lambda _: pytest.fail("the user was asked")
    assert connects(client)
    assert client.console_reads == [INSTANCE.id]


def test_3_console_with_another_key_is_refused(client: Client, other_key: str) -> None:
    client.console = client.server.console.replace(client.server.public_key, other_key)
    client.options = replace(client.options, accept_new_host_keys=True)
    assert "is not the one on its console log" in refused(client).reason
    assert not client.cache.exists()


def test_3_console_is_never_read_when_the_api_is_not_verified(client: Client) -> None:
    client.insecure_api = True
    assert "the API's certificate is not verified" in refused(client).reason
    assert client.console_reads == []


def test_3_forged_console_says_why_it_is_not_believed(client: Client) -> None:
    client.console = client.server.console * 2
    error = refused(client)
    assert "more than one block" in error.reason
    assert str(key_of(client.server)) in error.reason
    assert error.hint is not None
    assert "--accept-new-host-keys" in error.hint


def test_3_unreadable_console_is_no_error_of_its_own(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: str) -> str:
        raise CloudError("Nova answered 403")

    monkeypatch.setattr(client, "_read_console", unreadable)
    assert "its console log could not be read: Nova answered 403" in refused(client).reason
    client.options = replace(client.options, accept_new_host_keys=True)
    assert connects(client)


def test_4_user_sees_the_fingerprint_and_agrees(client: Client) -> None:
    questions: list[str] = []
    client.console = ""
    client.consent = lambda question: not questions.append(question)  # type: ignore[func-returns-value]
    assert connects(client)
    printed = subprocess.check_output(["ssh-keygen", "-lf", f"{client.server.host_key}.pub"], text=True).split()[1]
    assert len(questions) == 1
    assert printed in questions[0]
    assert connects(client)
    assert len(questions) == 1


def test_4_user_declines(client: Client) -> None:
    client.console = ""
    client.consent = lambda _: False
    assert "was not accepted" in refused(client).reason
    assert not client.cache.exists()


def test_4_users_are_asked_one_question_at_a_time(client: Client) -> None:
    busy = threading.Lock()

    def consent(_: str) -> bool:
        assert busy.acquire(blocking=False)
        threading.Event().wait(0.05)  # time for another question to come in between
        busy.release()
        return True

    client.console, client.consent = "", consent
    instances = [replace(INSTANCE, id=f"i-{number}") for number in range(4)]
    with client.gateway() as gateway, ThreadPoolExecutor() as pool:
        list(pool.map(gateway.connect, instances))
    assert len(client.cache.read_text().splitlines()) == 4


def test_5_accept_new_host_keys(client: Client) -> None:
    client.console = ""
    client.options = replace(client.options, accept_new_host_keys=True)
    assert connects(client)
    client.options = replace(client.options, accept_new_host_keys=False)
    assert connects(client)


def test_5_users_own_no_checking_is_not_followed(client: Client) -> None:
    client.configure("StrictHostKeyChecking no")
    client.console = ""
    assert "is unknown" in refused(client).reason
    assert not client.known_hosts.exists()


@pytest.fixture
def rebuilt(tmp_path: Path) -> Iterator[Client]:
    """A client that keeps the key that a machine had before it was rebuilt; its console shows the old one yet."""
    server = Sshd(tmp_path).start()
    client = Client(server, tmp_path, console=server.console)
    try:
        assert connects(client)
        server.new_host_key()
        yield client
    finally:
        client.close()
        server.stop()


def shown(client: Client) -> str:
    return str(parse_key(client.server.public_key))


def trust(client: Client, *fingerprints: str) -> None:
    with client.gateway() as gateway:
        gateway.trust_anew(INSTANCE, fingerprints)


def test_rebuilt_machine_is_refused_by_a_kept_key(rebuilt: Client) -> None:
    assert not isinstance(refused(rebuilt), RebuiltError)
    rebuilt.console = rebuilt.server.console
    error = refused(rebuilt)
    assert isinstance(error, RebuiltError)
    assert error.fingerprints == (shown(rebuilt),)
    assert shown(rebuilt) in error.reason


def test_rebuilt_machine_is_trusted_by_order_alone_and_by_its_fingerprint(rebuilt: Client) -> None:
    rebuilt.console = rebuilt.server.console
    other = f"{'another-instance'} {rebuilt.server.public_key}\n"
    rebuilt.cache.write_text(rebuilt.cache.read_text() + other)
    with pytest.raises(HostKeyError, match="shows other keys than it did"):
        trust(rebuilt, "ED25519 SHA256:another")
    refused(rebuilt)
    trust(rebuilt, shown(rebuilt))
    rebuilt.console = None
    assert connects(rebuilt)
    assert other in rebuilt.cache.read_text()


@pytest.mark.parametrize("console", ["old", "rolled over", "two blocks"])
def test_a_console_that_does_not_vouch_for_it_is_no_reason_to_trust(rebuilt: Client, console: str) -> None:
    """The fingerprint being right does not help: whoever shows that key may be anybody."""
    before = rebuilt.cache.read_text()
    whole = rebuilt.server.console
    rebuilt.console = {"old": rebuilt.console, "rolled over": "login: ", "two blocks": whole + whole}[console]
    with pytest.raises(HostKeyError):
        trust(rebuilt, shown(rebuilt))
    assert rebuilt.cache.read_text() == before


def test_somebody_else_at_the_address_is_not_taken_for_the_rebuilt_machine(rebuilt: Client, other_key: str) -> None:
    before = rebuilt.cache.read_text()
    rebuilt.console = rebuilt.server.console.replace(rebuilt.server.public_key, other_key)
    error = refused(rebuilt)
    assert not isinstance(error, RebuiltError)
    assert f"nor is {shown(rebuilt)} on its console log" in error.reason
    with pytest.raises(HostKeyError):
        trust(rebuilt, str(parse_key(other_key)))
    assert rebuilt.cache.read_text() == before


def test_no_new_key_over_an_api_that_nobody_vouches_for(rebuilt: Client) -> None:
    before = rebuilt.cache.read_text()
    rebuilt.console, rebuilt.insecure_api = rebuilt.server.console, True
    assert not isinstance(refused(rebuilt), RebuiltError)
    with pytest.raises(HostKeyError, match="not verified"):
        trust(rebuilt, shown(rebuilt))
    assert rebuilt.cache.read_text() == before


def test_the_users_own_known_hosts_are_his_to_change(rebuilt: Client, other_key: str) -> None:
    rebuilt.console = rebuilt.server.console
    rebuilt.known_hosts.write_text(f"[127.0.0.1]:{rebuilt.server.port} {other_key}\n")
    before = rebuilt.cache.read_text(), rebuilt.known_hosts.read_text()
    with pytest.raises(HostKeyError) as caught:
        trust(rebuilt, shown(rebuilt))
    assert "ssh-keygen -R" in str(caught.value.hint)
    assert (rebuilt.cache.read_text(), rebuilt.known_hosts.read_text()) == before


def test_cache_that_cannot_be_written_costs_nothing(client: Client) -> None:
    (client.folder / "cache").write_text("in the way")
    client.console = client.server.console
    assert connects(client)


def test_cache_survives_writers_at_once(tmp_path: Path) -> None:
    key = parse_key(" ".join(make_key(tmp_path / "key").with_suffix(".pub").read_text().split()[:2]))
    assert key is not None
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: KnownHostsCache(tmp_path / "c").replace(f"haos-{n}", [key]), range(40)))
    cache = KnownHostsCache(tmp_path / "c")
    assert all(cache.keys(f"haos-{number}") == (key,) for number in range(40))
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["known_hosts", "known_hosts.lock"]


def key_of(server: Sshd) -> HostKey:
    key = parse_key(server.public_key)
    assert key is not None
    return key
