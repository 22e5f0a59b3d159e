# Write down when addresses come and go, stamped with this node's wall clock, until told otherwise or LIMIT_S is over.
is_listening() {
    pid=$(cat "$RUN/watch.pid" 2>/dev/null) && awk -v pid="$pid" \
        '$2 == 0 && $3 == pid && $4 !~ /^0*$/ { found = 1 } END { exit !found }' /proc/net/netlink
}

has_turn && die "$what is at work on $NODE"
is_watching && die "another failover test is at work on $NODE"
make_run
rm -f "$RUN"/watch*
# It cleans up after itself. Were all its processes signalled at once (KillMode), so would be the one that does that.
put "$RUN/watcher" "trap 'kill \$!' TERM
cd $RUN || exit
TZ=UTC0 ip -ts -o monitor address >watch.log 2>watch.errors &
echo \$! >watch.pid
wait
rm -f watch*
[ -e heal ] || rm -f stamps
cd / && rmdir $RUN 2>/dev/null
:"
systemd-run --quiet --collect --unit="$WATCH_UNIT" --property=RuntimeMaxSec="$LIMIT_S" --property=KillMode=mixed \
    /bin/sh "$RUN/watcher" >&2 || die "another failover test is at work on $NODE"
wait_until 5 is_listening || {
    stop_units "$WATCH_UNIT.service"
    die "the node cannot write down when its addresses come and go"
}
put "$RUN/watch.began" "$(wall_s) $VIP $(ip -o address show to "$VIP" | grep -c .)"
echo end
