# The end of a fault: run by haos, by the node's own timer, or ("locked") by a step that has the lock.
by=${1-haos}
[ "$by" = locked ] || lock
is_under_way || exit 0
[ "$by" = locked ] || stop_units "$CAUSE_UNIT.service"
stamp healed
(eval "$HEAL") || die "the fault $FAULT could not be undone"
[ "$by" = timer ] || stop_units "$HEAL_UNIT.timer" "$HEAL_UNIT.service"
forget_fault
