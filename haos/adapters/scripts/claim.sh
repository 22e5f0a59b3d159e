# One run at a time moves the VIPs of this node: TURN has it for LASTS_S from now on, unless another run has it. One
# that was killed has it no longer than that.
lock_if_wanted
has_pairs || {
    rm -f "$LOCK"
    die "no pair of haos's is on this node"
}
holder=
if is_watching; then
    holder="a failover-test"
elif has_turn && [ "$turn" != "$TURN" ]; then
    holder=$what
else
    make_run
    put "$TURN_FILE" "$TURN $(($(uptime_s) + LASTS_S)) $PAIR $WHAT"
fi
emit holder "$holder"
echo end
