"""haos with every outside effect counted, and a SIGKILL at one of them: `python -m tests.crash.driver PLAN ARGV…`.

haos itself is as it is: two hooks lie below all of it. Whatever it asks of Keystone, Nova or Neutron goes through
requests' HTTPAdapter.send, whatever it does on an instance is an ssh process. A new effect is counted without being
named here.

PLAN is JSON: {"log": FILE, "kill": [EFFECT, MOMENT] or null, "after_s": SECONDS or null}. An effect is known by its
name and by how often that came before it, "PUT /network/v2.0/ports/ID #1": what runs side by side comes in another
order each time, but what has one name does not. The log has a line of JSON, [EFFECT, MOMENT, REMARK], for every
moment that was reached.

With `--serve` it imports haos once and then forks for every order, a line of JSON on standard input: {"plan", "argv",
"env", "output"}. It answers with a line, the exit code (-9 where it was killed).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from importlib import resources
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests.adapters

MOMENTS = ("before", "amid", "after")
"""Before anything left this machine; with a script at work on the instance; once its result is there."""
LIMIT_S = 300
"""No run of haos takes longer, unless it hangs."""
_MOMENT = re.compile(r"%3A[0-9]+%3A[0-9a-f]+$")  # of a mark on a port: when, and whose
_UUID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
_MULTIPLEXER = "-M"
_real_popen = subprocess.Popen
_real_send = requests.adapters.HTTPAdapter.send


class Effects:
    """Numbers the effects of this process and ends it at the one that was chosen. Threads share it."""

    def __init__(self, log: str, kill: tuple[str, str] | None) -> None:
        # What is written is in the kernel's hands: it outlives the process without fsync.
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._kill = kill
        self._lock = threading.Lock()
        self._count: Counter[str] = Counter()

    def begin(self, name: str) -> str:
        """Count an effect that is about to be, and return by what it is known."""
        with self._lock:
            effect = f"{name} #{self._count[name]}"
            self._count[name] += 1
        self.reach(effect, "before")
        return effect

    def reach(self, effect: str, moment: str, remark: str = "") -> None:
        """Note that an effect has come so far; this may be the end."""
        os.write(self._log, f"{json.dumps([effect, moment, remark])}\n".encode())
        if self.is_chosen(effect, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def is_chosen(self, effect: str, moment: str) -> bool:
        """Say whether this is where the process ends."""
        return self._kill == (effect, moment)


def count_requests(effects: Effects) -> None:
    """Count whatever is sent over HTTP."""

    def send(self: Any, request: Any, *args: Any, **options: Any) -> requests.Response:
        path = _MOMENT.sub("", _UUID.sub("ID", urlsplit(str(request.url)).path))
        effect = effects.begin(f"{request.method} {path}")
        response = _real_send(self, request, *args, **options)
        effects.reach(effect, "after", str(response.status_code))
        return response

    requests.adapters.HTTPAdapter.send = send  # type: ignore[method-assign]


def count_ssh(effects: Effects) -> None:
    """Count every ssh that goes anywhere: logins (which hold a connection) and what is run over them."""

    class Counted(_real_popen[Any]):
        def __init__(self, args: Any, **options: Any) -> None:
            name = _ssh_name(args)
            self._effect = effects.begin(name) if name else ""
            self._script = ""
            super().__init__(args, **options)

        def communicate(self, input: Any = None, timeout: float | None = None) -> Any:
            if self._effect and input:
                self._script = _step_of(input)
                if effects.is_chosen(self._effect, "amid"):
                    self._die_amid(input)
            return super().communicate(input, timeout)

        def _die_amid(self, script: bytes) -> None:
            assert self.stdin is not None
            assert self.stdout is not None
            self.stdin.write(script)
            self.stdin.close()
            os.read(self.stdout.fileno(), 1)  # the script says first of all that it has begun
            effects.reach(self._effect, "amid", self._script)

        def wait(self, timeout: float | None = None) -> int:
            code = super().wait(timeout)
            self._note_end()
            return code

        def poll(self) -> int | None:
            code = super().poll()
            if code is not None:
                self._note_end()
            return code

        def _note_end(self) -> None:
            effect, self._effect = self._effect, ""
            if effect:
                effects.reach(effect, "after", self._script)

    subprocess.Popen = Counted  # type: ignore[misc, assignment]


def _ssh_name(args: Any) -> str | None:
    """Name an effect; None for what stays on this machine, such as `ssh -G`."""
    words = [args] if isinstance(args, str) else [str(word) for word in args]
    if os.path.basename(words[0]) != "ssh" or words[1] == "-G":
        return None
    return f"{'login' if _MULTIPLEXER in words else 'ssh'} {words[-2]}"


def _step_of(script: bytes) -> str:
    """Say which of haos's scripts this is, by its text."""
    folder = resources.files("haos.adapters") / "scripts"
    found = [
        (script.rfind(text), each.name.removesuffix(".sh"))
        for each in folder.iterdir()
        if (text := each.read_bytes()) in script
    ]
    return max(found)[1] if found else "a script of its own"


def main(plan: dict[str, Any], argv: list[str]) -> None:
    """Run haos with what the plan says; does not return."""
    kill = plan.get("kill")
    effects = Effects(plan["log"], (kill[0], kill[1]) if kill else None)
    count_requests(effects)
    count_ssh(effects)
    if plan.get("after_s") is not None:
        _end_after(plan["after_s"])
    from haos.cli.main import main as haos

    haos(argv)


def _end_after(seconds: float) -> None:
    def end() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()


def serve() -> None:
    """Carry out orders until standard input ends, one after the other."""
    from haos.cli.main import COMMANDS

    for module, _ in COMMANDS.values():
        importlib.import_module(module)
    importlib.import_module("haos.adapters.connect")
    gc.freeze()  # or every child looks for garbage among all that, and copies it by that
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _carry_out(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _carry_out(order: dict[str, Any]) -> NoReturn:
    """Be haos, in the child; never returns to the loop of its parent."""
    code = 70
    try:
        for number, path, flags in ((0, os.devnull, os.O_RDONLY), (1, order["output"], os.O_WRONLY | os.O_CREAT)):
            os.dup2(os.open(path, flags, 0o600), number)
        os.dup2(1, 2)
        os.environ.clear()
        os.environ.update(order["env"])
        signal.alarm(LIMIT_S)
        main(order["plan"], order["argv"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve()
    else:
        main(json.loads(sys.argv[1]), sys.argv[2:])
