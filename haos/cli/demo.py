"""`haos lab demo`: the main job told step by step, each with the command that a person would type."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

import click

from haos.adapters.connect import connect
from haos.errors import HaosError
from haos.lab import control

LAB = "haos-demo"


def run_demo(*, install: bool, keep: bool, progress: Callable[[str], None]) -> int:
    """Bring a lab up, make a pair, watch it fail over, tear all down again; return the exit code."""
    say("1. A small cloud on this machine: three real instances on a network with port security")
    told(["haos", "lab", "up", "--name", LAB])
    control.up(LAB, install=install, progress=progress)
    environ = {**os.environ, **control.environment(LAB)}
    try:
        tell_the_story(environ)
    finally:
        if not keep:
            say("7. The lab goes, and leaves nothing but its cached image")
            told(["haos", "lab", "down", "--name", LAB])
            control.down(LAB)
    return 0


def tell_the_story(environ: Mapping[str, str]) -> None:
    """Run the main job, from create to teardown. Raises HaosError if a step fails."""
    say("2. One command makes a virtual IP that ha_first and ha_second share, and proves it")
    haos(environ, "create", "--network", "ha_lab", "--nodes", "ha_first,ha_second")
    say("3. The observer, an ordinary third instance, reaches the VIP; its neighbour table says who answers")
    vip = pair_vip()
    on_observer("ping", "-c", "3", "-i", "0.2", vip)
    on_observer("ip", "neigh", "show", vip)
    say("4. keepalived is stopped on the node that holds the VIP. Asked every 10 ms: how long is it gone?")
    haos(environ, "failover-test", "--fault", "stop")
    say("5. All as before: the preferred node has the VIP again")
    haos(environ, "status")
    say("6. Everything that haos added is taken away, the package too")
    haos(environ, "teardown", "--purge")


def say(text: str) -> None:
    """Print a heading."""
    click.echo(f"\n{text}")


def told(words: Sequence[str]) -> None:
    """Print the command as a person would type it."""
    click.echo(f"$ {shlex.join(words)}")
    sys.stdout.flush()


def haos(environ: Mapping[str, str], *words: str) -> None:
    """Run haos itself, in a process of its own as a person would."""
    told(["haos", *words])
    run([sys.executable, "-m", "haos", *words], environ)


def on_observer(*words: str) -> None:
    """Run a command on the observer."""
    told(["haos", "lab", "ssh", "observer", "--", *words])
    run(control.ssh_argv(LAB, "observer", list(words)), os.environ)


def run(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """Run a step; raises HaosError if it does not end with 0."""
    # The story is told without questions, on a terminal too.
    ended = subprocess.run(argv, env=dict(environ), stdin=subprocess.DEVNULL, check=False)
    if ended.returncode:
        raise HaosError(f"the demo stopped: the last command ended with {ended.returncode}")


def pair_vip() -> str:
    """Return the VIP of the lab's only pair, as its reservation port says."""
    found = control.clouds_yaml(LAB)
    cloud = connect([f"--os-cloud={LAB}"], config_files=[found] if found else None)
    return str(cloud.reservations()[0].fixed_ips[0].address)
