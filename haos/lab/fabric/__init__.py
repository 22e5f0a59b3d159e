"""The lab's switch: bridges that enforce Neutron's port security, address pairs and security groups.

    command       running a command, and how it fails
    names         a port's or network's names on the switch
    source        who may speak behind a port (anti-spoofing)        pure
    admission     a security-group rule as a match                   pure
    render        a whole fabric as one nftables transaction         pure
    forwarding    which MAC addresses are reached through which tap  pure, one strategy per fabric kind
    arp           an ARP table that answers: its rules, and its memory         pure
    nflog         copies of frames from the kernel's logging
    responder     the process that keeps an ARP table and answers
    arpcache      starts that process
    links         the kernel's bridges, taps and forwarding database
    switch        carries a fabric out after the lab's delay
    requirements  what the machine lacks for all that

Everything runs inside one network namespace, in which nothing but `haos.lab.fabric` makes bridges.
"""

from haos.lab.fabric.arpcache import ArpCache
from haos.lab.fabric.command import SwitchError
from haos.lab.fabric.names import bridge_name, tap_name
from haos.lab.fabric.requirements import missing
from haos.lab.fabric.switch import Switch

__all__ = ["ArpCache", "Switch", "SwitchError", "bridge_name", "missing", "tap_name"]
