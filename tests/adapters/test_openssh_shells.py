"""Login shells are of many kinds: what is sent is understood by each of them, or spelled so that it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.adapters.openssh_script import for_any_shell
from haos.errors import StepError
from tests.adapters.openssh_server import INSTANCE, Client, Sshd

SHELLS = {"sh": "dash", "bash": "bash", "tcsh": "tcsh", "fish": "fish"}
ODD = "it's $HOME `id` \"x\" !5 a\\\\b \\' * ; # ü\nsecond line"


def need(shell: str) -> str:
    """Return the shell's path; without it the test is skipped, except in CI."""
    path = shutil.which(shell)
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{shell} is missing: apt-get install {SHELLS[shell]}")
        pytest.skip(f"needs {shell}: apt-get install {SHELLS[shell]}")
    return path


@pytest.fixture(params=SHELLS)
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """Log in to a server whose user has that shell, with noise from its start-up files."""
    noisy = f'command="echo noise; {need(request.param)} -c \\"$SSH_ORIGINAL_COMMAND\\"" '
    server = Sshd(tmp_path, authorized=noisy).start()
    client = Client(server, tmp_path).trust()
    yield client
    client.close()
    server.stop()


@pytest.mark.real
def test_scripts_and_processes_arrive_whole(client: Client) -> None:
    connection = client.gateway().connect(INSTANCE)
    script = f"cat <<'END'\n{ODD}\nEND\nexit 3"
    result = connection.run(script, timeout_s=10, what="t")
    assert (result.returncode, result.stdout) == (3, f"{ODD}\n")
    with connection.spawn(["sh", "-c", 'printf %s "$1"; cat', "sh", ODD]) as process:
        out, err = process.communicate(b"<through>", timeout=10)
    assert out.decode() == f"noise\n{ODD}<through>", err


@pytest.mark.real
def test_time_limit_holds(client: Client) -> None:
    with pytest.raises(StepError, match=r"took more than 0\.3 s"):
        client.gateway().connect(INSTANCE).run("sleep 9", timeout_s=0.3, what="t")


def test_a_plain_command_stays_readable() -> None:
    assert for_any_shell("python3 -u - 'a b' 10.0.0.1") == "python3 -u - 'a b' 10.0.0.1"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_command_in_octal_means_the_same(text: str) -> None:
    command = f"printf %s '{text.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'"
    said = subprocess.run(["sh", "-c", for_any_shell(command)], capture_output=True, check=True).stdout
    assert said.decode() == text
