"""Installing and purging keepalived by apt, dnf and zypper: scripts for real, package managers as stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from haos.adapters import node_steps
from haos.adapters.node import Node
from haos.core.keepalived import MAIN_PATH, PACKAGE_MARKER
from haos.core.node import Removal
from haos.errors import StepError
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import config_for
from tests.adapters.node_sandbox import MAC, Sandbox, require, sandbox

pytestmark = pytest.mark.real

PACKAGE = "/run/fake/package"
"""Where the real daemon waits to be "installed" to /usr/sbin."""

EXAMPLE = "vrrp_instance example { }"

MANAGER = f"""#!/bin/sh
# apt-get, dnf and zypper as far as the scripts use them; "installs" the real daemon, and a library with it.
log=/run/fake/manager.log
echo "${{0##*/}} $*" >>$log
[ "$(umask)" = 0022 ] || echo "umask $(umask)" >>$log
[ -z "${{DEBIAN_FRONTEND:-}}" ] || echo "frontend $DEBIAN_FRONTEND" >>$log
case " $* " in
*" -s purge "*) for name in $(cat /run/fake/packages); do echo "Purg $name [1]"; done ;;
*" install "*)
    if [ -e /run/fake/broken ]; then
        echo "E: Could not get lock /var/lib/dpkg/lock-frontend" >&2
        exit 100
    fi
    if [ -e /run/fake/no-lists ]; then
        echo "E: Package 'keepalived' has no installation candidate" >&2
        exit 100
    fi
    echo install >>/run/fake/systemctl.log
    cp {PACKAGE} /usr/sbin/keepalived
    printf 'keepalived\\nlibnl-3-200\\n' >>/run/fake/packages
    if [ -e /run/fake/other-is-broken ]; then
        echo "E: Sub-process /usr/bin/dpkg returned an error code (1)" >&2
        exit 100
    fi
    [ ! -e /run/fake/ships-example ] || echo '{EXAMPLE}' >{MAIN_PATH}
    ;;
*" update "*) rm -f /run/fake/no-lists ;;
*" purge "* | *" remove "*)
    rm -f /usr/sbin/keepalived
    : >/run/fake/packages
    [ ! -e /run/fake/other-is-broken ] || exit 100
    ;;
esac
"""
QUERY = f"""#!/bin/sh
differs() {{ [ "$(cat {MAIN_PATH})" != '{EXAMPLE}' ]; }}
case $* in
'-ql keepalived') [ ! -e /run/fake/ships-example ] || echo {MAIN_PATH} ;;
'-V --nodeps --noscripts keepalived') if differs; then echo 'S.5....T.  c {MAIN_PATH}'; fi ;;
*Conffiles*) [ ! -e /run/fake/ships-example ] || echo " {MAIN_PATH} $(echo '{EXAMPLE}' | md5sum | cut -c -32)" ;;
*Status*keepalived) grep -qx keepalived /run/fake/packages && cat /run/fake/status ;;
*Status*) sed "s/^/$(cat /run/fake/status) /" /run/fake/packages ;;
'-q keepalived') grep -qx keepalived /run/fake/packages ;;
*) cat /run/fake/packages ;;
esac
"""
MANAGERS = {"apt": "apt-get", "dnf": "dnf", "zypper": "zypper"}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    require("keepalived")
    with sandbox() as made:
        made.sh(f"mv $(command -v keepalived) {PACKAGE}; echo base >/run/fake/packages; : >/run/fake/manager.log")
        made.sh("printf installed >/run/fake/status")
        made.sh("rmdir /etc/keepalived")  # it comes, and goes, with the package
        made.sh("rm -f /usr/bin/apt-get /usr/bin/dnf /usr/bin/zypper /usr/bin/dpkg-query /usr/bin/rpm")
        yield made


@pytest.fixture
def node(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Node:
    monkeypatch.setattr(node_steps, "PACKAGE_LOCK_TIMEOUT_S", 1)
    return Node(box, "ha_first")


def give(box: Sandbox, manager: str) -> None:
    for name, text in {MANAGERS[manager]: MANAGER, "dpkg-query": QUERY, "rpm": QUERY}.items():
        box.write(f"/run/bin/{name}", text)
        box.sh(f"chmod +x /run/bin/{name}")


def log(box: Sandbox) -> str:
    return box.read("/run/fake/manager.log").decode()


@pytest.mark.parametrize("manager", MANAGERS)
def test_installs_marks_and_purges(box: Sandbox, node: Node, manager: str) -> None:
    give(box, manager)
    before = box.snapshot()
    facts = node.facts(MAC)
    assert (facts.keepalived, facts.package_manager) == (None, manager)
    version = node.install_keepalived()
    facts = node.facts(MAC)
    assert facts.keepalived == version
    assert facts.package_by_haos
    assert not facts.daemon_active
    assert box.read(PACKAGE_MARKER).decode() == "keepalived\nlibnl-3-200\n"
    node.install_keepalived()
    assert log(box).count(" install ") == 1
    removed = node.remove(Removal("web", ip_address("10.200.51.9"), None, purge_package=True))
    assert "removed package keepalived" in removed.done
    assert node.facts(MAC).keepalived is None
    assert box.snapshot() == before


def test_apt_is_asked_without_questions_and_waits_for_its_lock(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    node.install_keepalived()
    assert "DPkg::Lock::Timeout=" in log(box)
    assert "frontend noninteractive" in log(box)
    assert "update" not in log(box)
    assert "umask" not in log(box), "what the package's scripts make is for all to read"


def test_apt_lists_are_updated_only_if_needed(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    box.sh("touch /run/fake/no-lists")
    node.install_keepalived()
    assert [line.split()[-1] for line in log(box).splitlines() if "apt-get" in line] == [
        "keepalived",
        "update",
        "keepalived",
    ]


@pytest.mark.parametrize("manager", MANAGERS)
def test_failure_gives_the_managers_reason_and_leaves_no_mark(box: Sandbox, node: Node, manager: str) -> None:
    give(box, manager)
    box.sh("touch /run/fake/broken")
    before = box.snapshot()
    with pytest.raises(StepError, match="did not install keepalived: E: Could not get lock"):
        node.install_keepalived()
    box.sh("rm -f /run/haos.lock")
    assert box.snapshot() == before


@pytest.mark.parametrize(("manager", "status"), [("apt", "installed"), ("apt", "unpacked"), ("dnf", "installed")])
def test_package_that_a_failed_manager_left_there_is_taken_away(
    box: Sandbox, node: Node, manager: str, status: str
) -> None:
    give(box, manager)
    box.sh(f"printf {status} >/run/fake/status; touch /run/fake/other-is-broken")
    before = box.snapshot()
    with pytest.raises(StepError, match="did not install keepalived: E: Sub-process"):
        node.install_keepalived()
    assert node.facts(MAC).package_by_haos
    assert box.read(PACKAGE_MARKER).decode() == "keepalived\nlibnl-3-200\n"
    removed = node.remove(Removal("web", ip_address("10.200.51.9"), None, purge_package=True))
    assert (removed.done[0], removed.left) == ("removed package keepalived", ())
    assert node.facts(MAC).keepalived is None
    assert box.snapshot() == before


def test_package_that_was_there_is_not_ours(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    box.sh(f"cp {PACKAGE} /usr/sbin/keepalived")
    node.install_keepalived()
    assert not node.facts(MAC).package_by_haos
    assert log(box) == ""


def test_nothing_starts_where_an_old_configuration_lies(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    box.write(MAIN_PATH, "vrrp_instance old {\n}\n")
    assert node.facts(MAC).other_instances == ("old",), "seen before its keepalived is there"
    node.install_keepalived()
    calls = [line.split()[0] for line in box.read("/run/fake/systemctl.log").decode().splitlines()]
    assert calls.index("mask") < calls.index("install") < calls.index("unmask")
    assert box.read(MAIN_PATH) == b"vrrp_instance old {\n}\n"


def test_example_of_the_package_does_not_run(box: Sandbox, node: Node) -> None:
    give(box, "dnf")
    box.sh("touch /run/fake/ships-example")
    node.install_keepalived()
    assert node.facts(MAC).main_config is None
    removed = node.remove(Removal("web", ip_address("10.200.51.9"), None))
    assert f"put the package's own {MAIN_PATH} back" in removed.done
    assert b"vrrp_instance example" in box.read(MAIN_PATH)


def killed_before_the_example_is_aside(box: Sandbox, node: Node, manager: str) -> None:
    give(box, manager)
    box.sh("touch /run/fake/ships-example")
    box.write(
        "/run/bin/mv", f'#!/bin/sh\n[ "$1" != {MAIN_PATH} ] || {{ kill -9 "$PPID"; exit; }}\nexec /bin/mv "$@"\n'
    )
    box.sh("chmod +x /run/bin/mv")
    with pytest.raises(StepError):
        node.install_keepalived()
    box.sh("rm /run/bin/mv")
    assert box.read(MAIN_PATH).decode() == f"{EXAMPLE}\n", "or the test shows nothing"


@pytest.mark.parametrize("manager", MANAGERS)
def test_example_is_known_by_the_run_after_one_that_was_killed(box: Sandbox, node: Node, manager: str) -> None:
    killed_before_the_example_is_aside(box, node, manager)
    facts = node.facts(MAC)
    assert (facts.main_config, facts.other_instances) == (None, ())
    config = config_for(node)
    assert node.configure(config)
    main = box.read(MAIN_PATH).decode()
    assert "example" not in main
    assert node.facts(MAC).main_config == main
    removed = node.remove(Removal(config.pair, config.vip, None))
    assert f"put the package's own {MAIN_PATH} back" in removed.done
    assert box.read(MAIN_PATH).decode() == f"{EXAMPLE}\n"


@pytest.mark.parametrize("manager", MANAGERS)
def test_example_goes_with_the_package_after_a_run_that_was_killed(box: Sandbox, node: Node, manager: str) -> None:
    before = box.snapshot()
    killed_before_the_example_is_aside(box, node, manager)
    removed = node.remove(Removal("web", ip_address("10.200.51.9"), None, purge_package=True))
    assert "removed package keepalived" in removed.done
    assert box.snapshot() == before


@pytest.mark.parametrize("manager", MANAGERS)
def test_example_that_somebody_has_edited_is_his(box: Sandbox, node: Node, manager: str) -> None:
    killed_before_the_example_is_aside(box, node, manager)
    box.write(MAIN_PATH, "vrrp_instance his {\n}\n")
    assert node.facts(MAC).other_instances == ("his",)
    removed = node.remove(Removal("web", ip_address("10.200.51.9"), None, purge_package=True))
    assert f"kept package keepalived: {MAIN_PATH}, which is not haos's, needs it" in removed.done
    assert box.read(MAIN_PATH) == b"vrrp_instance his {\n}\n"


def test_a_configuration_that_came_before_a_second_try_is_his(box: Sandbox, node: Node) -> None:
    give(box, "dnf")
    box.write("/run/bin/cp", '#!/bin/sh\nkill -9 $(cat /run/fake/step)\nkill -9 "$PPID"\n')
    box.write("/run/bin/mktemp", '#!/bin/sh\necho "$PPID" >/run/fake/step\nexec /bin/mktemp "$@"\n')
    box.sh("chmod +x /run/bin/cp /run/bin/mktemp")
    with pytest.raises(StepError):
        node.install_keepalived()
    box.sh("rm /run/bin/cp /run/bin/mktemp; touch /run/fake/ships-example")
    box.write(MAIN_PATH, f"{EXAMPLE}\n")
    box.sh("sed -i '/ships-example/d' /run/bin/dnf")  # a package leaves a configuration alone that it finds
    node.install_keepalived()
    assert node.facts(MAC).other_instances == ("example",)


def test_run_that_was_killed_amid_the_installation_is_completed_as_ours(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    box.write("/run/bin/cp", '#!/bin/sh\nkill -9 $(cat /run/fake/step)\nkill -9 "$PPID"\n')
    box.sh("chmod +x /run/bin/cp")
    box.write("/run/bin/mktemp", '#!/bin/sh\necho "$PPID" >/run/fake/step\nexec /bin/mktemp "$@"\n')
    box.sh("chmod +x /run/bin/mktemp")
    with pytest.raises(StepError):
        node.install_keepalived()
    box.sh("rm /run/bin/cp /run/bin/mktemp")
    assert node.facts(MAC).package_by_haos, "marked before it is there"
    node.install_keepalived()
    assert node.facts(MAC).package_by_haos


def test_node_without_a_known_manager_is_said(node: Node) -> None:
    with pytest.raises(StepError, match="no apt-get, dnf or zypper"):
        node.install_keepalived()


def masked(box: Sandbox) -> bool:
    return "/dev/null" in box.sh("readlink /run/systemd/system/keepalived.service || :")


def test_mask_of_a_run_that_was_killed_is_taken_away_by_the_next_step(box: Sandbox, node: Node) -> None:
    give(box, "apt")
    box.write(MAIN_PATH, "vrrp_instance old {\n}\n")
    box.write("/run/bin/cp", '#!/bin/sh\nkill -9 $(cat /run/fake/step)\nkill -9 "$PPID"\n')
    box.write("/run/bin/mktemp", '#!/bin/sh\necho "$PPID" >/run/fake/step\nexec /bin/mktemp "$@"\n')
    box.sh("chmod +x /run/bin/cp /run/bin/mktemp")
    with pytest.raises(StepError):
        node.install_keepalived()
    assert masked(box), "or the test shows nothing"
    with pytest.raises(StepError, match="not on this node"):
        withdraw(node)
    assert not masked(box)
    assert box.sh("ls -d /run/haos*") == "/run/haos.lock\n"


@pytest.mark.parametrize("main", [None, "vrrp_instance old {\n}\n"])
def test_a_mask_of_somebody_else_stays(box: Sandbox, node: Node, main: str | None) -> None:
    give(box, "apt")
    if main:
        box.write(MAIN_PATH, main)
    box.sh("ln -s /dev/null /run/systemd/system/keepalived.service")
    node.install_keepalived()
    assert masked(box)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)\n"
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
            "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)",
        ),
        (
            "Err:1 http://deb.debian.org/debian bookworm InRelease\n"
            "  Temporary failure resolving 'deb.debian.org'\n"
            "E: Package 'keepalived' has no installation candidate",
            "Temporary failure resolving 'deb.debian.org'",
        ),
        (
            "dpkg: error: cannot write: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error",
            "No space left on device",
        ),
        ("E: Unmet dependencies. Try 'apt --fix-broken install'.", "E: Unmet dependencies"),
        ("Error: Failed to download metadata for repo 'appstream'", "Failed to download metadata"),
    ],
)
def test_reason_is_the_cause(box: Sandbox, node: Node, said: str, reason: str) -> None:
    give(box, "apt")
    box.write("/run/fake/said", said)
    box.write("/run/bin/apt-get", "#!/bin/sh\ncat /run/fake/said >&2\nexit 100\n")
    with pytest.raises(StepError) as error:
        node.install_keepalived()
    assert reason in str(error.value)
    assert error.value.args[0].count("\n") == 0


def test_lock_that_is_let_go_in_time_is_waited_for(box: Sandbox, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt before 1.9.11 knows no DPkg::Lock::Timeout, and none waits for the lock on its lists."""
    monkeypatch.setattr(node_steps, "PACKAGE_LOCK_TIMEOUT_S", 30)
    give(box, "apt")
    box.sh("mv /run/bin/apt-get /run/bin/apt-get.real")
    say = 'echo "E: Could not get lock /var/lib/apt/lists/lock" >&2'
    once = f"if mkdir /run/fake/asked 2>/dev/null; then {say}; exit 100; fi"
    box.write("/run/bin/apt-get", f'#!/bin/sh\n{once}\nexec /run/bin/apt-get.real "$@"\n')
    box.sh("chmod +x /run/bin/apt-get")
    assert node.install_keepalived()


def holding(box: Sandbox, log: str) -> str:
    """Let a process and its children have dpkg's lock, whose output goes to a file; return how the first is named."""
    box.sh(f"mkdir -p {log.rpartition('/')[0]}")
    work = "timeout 60 sh -c 'while sleep 0.02; do :; done'"
    box.sh(f"{work} 7</var/lib/dpkg/lock >{log} 2>&1 & echo $! >/run/fake/holder")
    return f"timeout, process {box.read('/run/fake/holder').decode().strip()}"


@pytest.mark.skipif(not Path("/var/lib/dpkg/lock").exists(), reason="missing: dpkg")
@pytest.mark.parametrize("own", [False, True])
def test_who_works_with_packages_is_told_unless_it_is_haos(box: Sandbox, node: Node, own: bool) -> None:
    assert node.packager() is None
    who = holding(box, "/etc/keepalived/haos.d/.haos-log.x" if own else "/dev/null")
    assert node.packager() == (None if own else who)
    assert node.facts(MAC).packager == (None if own else who)


def test_managers_without_a_limit_of_their_own_get_one(
    box: Sandbox, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_steps, "DNF_TIMEOUT_S", 1)
    give(box, "dnf")
    box.write("/run/bin/dnf", "#!/bin/sh\necho 'Waiting for process with pid 42 to finish.' >&2\nexec sleep 60\n")
    with pytest.raises(StepError, match="dnf did not install keepalived: Waiting for process with pid 42"):
        node.install_keepalived()
