"""The command line: python -m tests.openstack up|down|status|exec|run."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from tests.openstack.bed import bringup, namespaces, packages, pyenv, services
from tests.openstack.bed.model import BACKENDS, CONTROL, Bed, BedError

TESTS_FAILED = 1  # pytest's exit code
DESCRIPTION = "Real OpenStack services with a real data plane, in network namespaces of their own."
INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m tests.openstack", description=DESCRIPTION, allow_abbrev=False)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="up|down|status|exec|run")
    up = verbs.add_parser("up", allow_abbrev=False, help="bring it up, or what is missing of it")
    run = verbs.add_parser(
        "run",
        allow_abbrev=False,
        help="bring it up, run pytest -m openstack with all other arguments in it, take it down",
    )
    for verb in (up, run):
        verb.add_argument("--backend", choices=BACKENDS, default="ovn", help="Neutron's data plane (default: ovn)")
        verb.add_argument("--no-install", action="store_true", help="say which packages are missing, install none")
    up.add_argument("--fresh", action="store_true", help="from an empty state")
    run.add_argument("--keep", action="store_true", help="leave it up afterwards")
    down = verbs.add_parser("down", help="take it down; its state stays")
    down.add_argument("--wipe", action="store_true", help="remove its state too")
    verbs.add_parser("status", help="say what runs")
    execute = verbs.add_parser("exec", help="run a command among its services, with the environment of tests")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    return top


def main(argv: list[str]) -> int:
    """Do what was asked for; returns the exit code."""
    options, rest = parser().parse_known_args(argv)
    if rest and options.verb != "run":
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    bed = Bed.of_user()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _dispatch(bed, options, rest)
    except BedError as error:
        # What went wrong first is not to be lost where the tidying up went wrong too.
        for each in (error.__context__, error):
            if isinstance(each, BedError):
                print(f"error: {each}", *([f"hint: {each.hint}"] if each.hint else []), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next up or down tidies up", file=sys.stderr)
        return INTERRUPTED


def _dispatch(bed: Bed, options: argparse.Namespace, rest: list[str]) -> int:
    say = teller()
    if options.verb == "up":
        bringup.up(bed, options.backend, say, fresh=options.fresh, may_install=not options.no_install)
        say(f"up: {options.backend}")
        return 0
    if options.verb == "down":
        bringup.down(bed, say, wipe=options.wipe)
        return 0
    if options.verb == "status":
        return status(bed)
    if options.verb == "exec":
        command = options.command[1:] if options.command[:1] == ["--"] else options.command
        if not command:
            parser().error("exec wants a command")
        return inside(bed, command)
    return run(bed, options, rest)


def run(bed: Bed, options: argparse.Namespace, arguments: list[str]) -> int:
    """Bring a bed up, run the tests that want one, take it down; a bed that runs already is used as it is."""
    say = teller()
    running = bringup.is_usable(bed, options.backend) and bool(namespaces.present())
    try:
        bringup.up(bed, options.backend, say, fresh=not running, may_install=not options.no_install)
        arguments = arguments[1:] if arguments[:1] == ["--"] else arguments
        tests = ["-m", "openstack", *arguments]
        code = inside(bed, [sys.executable, "-m", "tests.again", *tests])
        # Open vSwitch 3.1 may fail an assertion of its own connection tracker, and the network is down then.
        if code == TESTS_FAILED and (died := died_in(bed)):
            say(f"died meanwhile: {', '.join(died)} (see {bed.log}); what failed is run once more")
            bringup.up(bed, options.backend, say, may_install=False)
            code = inside(bed, [sys.executable, "-m", "pytest", *tests, "--last-failed"])
        return code
    finally:
        if not options.keep:
            bringup.down(bed, say, wipe=True)


def inside(bed: Bed, command: list[str]) -> int:
    """Run a command in the control namespace and return its exit code, as a shell counts it."""
    if CONTROL not in namespaces.present():
        raise BedError("OpenStack is not up", hint="python -m tests.openstack up")
    enter = ["nsenter", f"--net={namespaces.NETNS / CONTROL}", "--"]
    environment = os.environ | bed.environment()
    # After the caller's own programs there is OpenStack's client.
    environment["PATH"] = f"{environment.get('PATH', packages.SEARCH)}:{pyenv.directory() / 'bin'}"
    with subprocess.Popen([*enter, *command], env=environment) as child:
        code = wait_through_signals(child)
    return code if code >= 0 else 128 - code


def wait_through_signals(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child's end: Ctrl-C reaches it by itself, and it may have to tidy up; SIGTERM is passed on."""
    previous = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
    finally:
        signal.signal(signal.SIGTERM, previous)


def died_in(bed: Bed) -> list[str]:
    """Return the processes that were started and run no more."""
    processes = bringup.processes_of(bed, pyenv.directory())
    return [name for name in processes.names() if not processes.runs(name)]


def status(bed: Bed) -> int:
    """Print what runs and what answers; the exit code is 1 where something does not."""
    if CONTROL not in namespaces.present():
        print("down")
        return 1
    names, died = bringup.processes_of(bed, pyenv.directory()).names(), died_in(bed)
    with namespaces.inside(CONTROL):
        silent = [name for name, port in services.PORTS.items() if not services.answers(port)]
    print(f"backend    {bed.backend}")
    print(f"state      {bed.state}")
    print(f"processes  {len(names) - len(died)} running{', died: ' + ', '.join(died) if died else ''}")
    print(f"services   {'all answer' if not silent else 'silent: ' + ', '.join(silent)}")
    return 1 if died or silent else 0


class _Teller:
    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", file=sys.stderr, flush=True)


def teller() -> bringup.Say:
    """Return what says lines with the time since now."""
    return _Teller()
