# What a fault, its end and the watch over the VIP share. All of it lies in /run: a restart of the node forgets it.
CAUSE=$RUN/cause
HEALER=$RUN/heal
STAMPS=$RUN/stamps
SAVED=$RUN/saved
TURN_FILE=$RUN/turn
# Beside a pair's file that a fault moved aside: this alone outlives a restart, with which timer and healer go. A file
# that was moved aside for another reason has no such mark, and stays where it is.
WITHDREW=$FOLDER/.fault-withdrew-
HEAL_UNIT=haos-heal
CAUSE_UNIT=haos-fault
WATCH_UNIT=haos-watch

wall_s() {
    date +%s.%N
}

# stamp WHAT: write down that it happens now, by this node's wall clock.
stamp() {
    echo "$1 $(wall_s)" >>"$STAMPS"
}

make_run() {
    mkdir -p "$RUN" && chmod 0700 "$RUN" || die "cannot make $RUN"
}

# put FILE TEXT: the file is there as a whole or not at all.
put() {
    printf '%s\n' "$2" >"$1.tmp" && mv -f "$1.tmp" "$1" || die "cannot write $1: is there no room in /run?"
}

# Whether some run moves the VIPs of this node: sets turn, pair and what.
has_turn() {
    read -r turn until pair what 2>/dev/null <"$TURN_FILE" && [ "$(uptime_s)" -lt "$until" ]
}

forget_turn() {
    rm -f "$TURN_FILE"
    rmdir "$RUN" 2>/dev/null
    return 0
}

is_under_way() {
    [ -e "$HEALER" ]
}

# Whether something of systemd's will still end the fault: its timer, or the run that the timer started.
is_guarded() {
    systemctl is-active "$HEAL_UNIT.timer" "$HEAL_UNIT.service" 2>/dev/null 9>&- | grep -q '^activ'
}

is_watching() {
    systemctl is-active --quiet "$WATCH_UNIT.service" >/dev/null 2>&1 9>&-
}

# A unit that is not there cannot be stopped: what systemctl says of that is nobody's concern.
stop_units() {
    systemctl stop "$@" 2>/dev/null 9>&-
}

# Leave nothing of the fault; its times stay for as long as somebody watches.
forget_fault() {
    rm -rf "$CAUSE" "$CAUSE.tmp" "$HEALER.tmp" "$RUN/fault" "$RUN/fault.tmp" "$SAVED"
    rm -f "$HEALER"
    is_watching || rm -f "$STAMPS"
    rmdir "$RUN" 2>/dev/null
    return 0
}

# A fault that somebody left behind ends before the node is set up anew.
end_fault() {
    ! is_under_way || sh "$HEALER" locked >&2
}
