# The end of a fault: run by haos, by the node's own timer, or ("locked") by a step that has the lock.
by=${1-haos}
# The timer's run tries again what fails, after longer and longer pauses, and not for ever; "once" is one of its tries.
if [ "$by" = timer ]; then
    until_s=$(($(uptime_s) + HEAL_LIMIT_S))
    pause_s=$HEAL_PAUSE_S
    until sh "$HEALER" once; do
        [ "$(uptime_s)" -lt "$until_s" ] || {
            echo "haos: the fault $FAULT stays: given up after $HEAL_LIMIT_S s. From outside: haos failover-test --restore" >&2
            exit 0
        }
        echo "haos: the end of the fault $FAULT is tried again in $pause_s s" >&2
        sleep "$pause_s"
        pause_s=$((2 * pause_s))
        [ "$pause_s" -le "$HEAL_LONGEST_S" ] || pause_s=$HEAL_LONGEST_S
    done
    exit 0
fi
[ "$by" = locked ] || lock
is_under_way || exit 0
[ "$by" = locked ] || stop_units "$CAUSE_UNIT.service"
stamp healed
(eval "$HEAL") || die "the fault $FAULT could not be undone"
[ "$by" = once ] || stop_units "$HEAL_UNIT.timer" "$HEAL_UNIT.service"
forget_fault
