# Make a fault, guarded: how to end it is written down, and a timer set for that, before anything happens.
lock_if_wanted
arm() {
    stop_units "$HEAL_UNIT.timer" "$HEAL_UNIT.service" "$CAUSE_UNIT.service"
    systemd-run --quiet --collect --unit="$HEAL_UNIT" --on-active="$HEAL_AFTER_S" --timer-property=AccuracySec=50ms \
        --property=Restart=on-failure --property=RestartSec=5 /bin/sh "$HEALER" timer >&2 9>&-
}

if is_under_way; then
    is_guarded && die "the fault $(cat "$RUN/fault") is under way on this node already, and ends by itself"
    sh "$HEALER" locked || exit 9 # a run was killed before it had set the timer
fi
(eval "$REFUSE") || exit 9
make_run
rm -f "$STAMPS"
put "$RUN/fault" "$FAULT"
put "$CAUSE" "$CAUSE_TEXT"
put "$HEALER" "$HEAL_TEXT"
arm || {
    forget_fault
    die "no timer could be set on this node to end the fault, so it was not made"
}
if [ "$DELAY_S" = 0 ]; then
    sh "$CAUSE" || exit 9
    emit at "$(sed -n 's/^injected //p' "$STAMPS" | tail -n 1)"
else
    emit at "$(wall_s)"
    systemd-run --quiet --collect --unit="$CAUSE_UNIT" /bin/sh "$CAUSE" >&2 9>&- || {
        sh "$HEALER" locked
        die "the fault could not be started on this node"
    }
fi
echo end
