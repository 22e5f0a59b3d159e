"""The faults of keepalived and of the node as a whole, each with the sh that makes it and the sh that ends it."""

from __future__ import annotations

from haos.core import vrrp
from haos.core.fault import Guard
from haos.workflow.fault import Fault, NodeSide

WITHDRAW = Fault(
    "withdraw",
    "this pair's instance alone leaves the node",
    vrrp.bound_of_clean_stop_s,
    NodeSide("withdraw_pair", "reinstate_pair"),
)
STOP = Fault(
    "stop",
    "keepalived is stopped cleanly",
    vrrp.bound_of_clean_stop_s,
    NodeSide("stop_now", "revive"),
    whole_node=True,
)
# One that is killed first would be missed by the others, and they would say goodbye for it: all are halted before.
KILL = Fault(
    "kill",
    "all processes of keepalived get SIGKILL",
    vrrp.bound_of_crash_s,
    NodeSide(
        """
pids=$(daemon_pids) || die "keepalived does not run"
stamp injected
send STOP $pids
send KILL $pids
wait_until 5 is_in XZ "${pids##*[!0-9]}" || die "keepalived does not end"
""",
        "revive",
    ),
    whole_node=True,
    lasts_by_itself=True,
)
HANG = Fault(
    "hang",
    "all processes of keepalived get SIGSTOP",
    vrrp.bound_of_crash_s,
    NodeSide(
        """
pids=$(daemon_pids) || die "keepalived does not run"
stamp injected
send STOP $pids
wait_until 5 is_in T "${pids##*[!0-9]}" || die "keepalived does not halt"
""",
        """
pids=$(daemon_pids) && send CONT $pids
revive
""",
    ),
    whole_node=True,
    splits=True,
)
REBOOT = Fault(
    "reboot",
    "the node restarts",
    vrrp.bound_of_crash_s,
    NodeSide('systemctl reboot >&2 || die "the node does not restart"', ":"),
    guard=Guard.ITSELF,
    whole_node=True,
    cuts=True,
    lasts_by_itself=True,
)
# What fails must lie where programs may be run from, which /run often is not; a mount is gone after a restart.
CHECK_FAIL = Fault(
    "check-fail",
    "the pair's first service check fails",
    vrrp.bound_of_failed_check_s,
    NodeSide(
        """
[ -f "$FOLDER/$PAIR.check-1" ] || die "pair $PAIR has no service check on this node"
failing=/usr/bin/false
[ -x "$failing" ] || failing=/bin/false
stamp injected
mount --bind "$failing" "$FOLDER/$PAIR.check-1" || die "nothing can be mounted over $FOLDER/$PAIR.check-1"
""",
        """
while grep -qF " $FOLDER/$PAIR.check-1 " /proc/self/mountinfo; do
    umount -l "$FOLDER/$PAIR.check-1" || die "$FOLDER/$PAIR.check-1 is still hidden by what was mounted over it"
done
""",
    ),
    needs="check",
)
