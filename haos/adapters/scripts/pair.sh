# One pair out of the daemon and in again, and the daemon itself back at work.

# Give up one pair: its file moves aside, keepalived reloads, says goodbye with priority 0 and drops the VIP.
# Measured (2.2.7): with no instance left the daemon and its VRRP process stay, and take it up again later.
withdraw_pair() {
    conf=$FOLDER/$PAIR.conf
    if [ -f "$conf" ]; then
        : >"$WITHDREW$PAIR" || die "cannot write $WITHDREW$PAIR"
        mv "$conf" "$conf.withdrawn" || die "cannot move $conf aside"
        sync_folder "$FOLDER"
    elif [ ! -f "$conf.withdrawn" ]; then
        die "pair $PAIR is not on this node"
    fi
    reload
    wait_until 10 is_gone "$PAIR" || die "keepalived still runs haos_$PAIR: $(why_not)"
    did() { :; }
    # keepalived takes its link away itself, perhaps just now: that there is nothing left to do is no failure.
    release_links "$(vmac_links "$conf.withdrawn")" || :
}

# Take the pair up again if it was withdraw_pair that gave it up.
reinstate_pair() {
    [ -e "$WITHDREW$PAIR" ] || return 0
    conf=$FOLDER/$PAIR.conf
    if [ -f "$conf.withdrawn" ] && [ ! -f "$conf" ]; then
        mv "$conf.withdrawn" "$conf" || die "cannot move $conf back"
        sync_folder "$FOLDER"
    fi
    if [ -f "$conf" ]; then
        case $(state) in
        inactive) ;; # somebody stopped it, and did not want it back
        failed) start && await_running ;;
        *) reload && await_running ;;
        esac
    fi
    rm -f "$WITHDREW$PAIR"
    sync_folder "$FOLDER"
}

stop_now() {
    timeout 30 systemctl stop keepalived.service 9>&- || die "keepalived did not stop: $(why_not)"
    case $(state) in
    active | reloading | deactivating) die "keepalived still runs" ;;
    esac
}

# Let the daemon run all that it should; one that does is left alone, and so is one with nothing to run.
revive() {
    has_active_pairs || return 0
    is_settled || start
    await_running
}

# send SIGNAL PID…: to each of them; a check's script may have ended meanwhile.
send() {
    signal=$1
    shift
    kill -s "$signal" "$@" 2>/dev/null || :
}

# is_in STATES PID: whether the process is in one of these states (T stopped, Z dead); one that is gone is dead.
is_in() {
    now=$(sed 's/.*) //; s/ .*//' "/proc/$2/stat" 2>/dev/null)
    case ${now:-Z} in [$1]) ;; *) return 1 ;; esac
}

# daemon_pids: every process of the daemon, the one that would be missed by the others last; false if there is none. Its
# unit's group has them all, unless the daemon is not in one of its own.
daemon_pids() {
    pid=$(main_pid) || return 1
    group=$(sed -n 's/^0:://p; s/^[0-9]*:name=systemd://p' "/proc/$pid/cgroup" | grep '/keepalived\.service$' | head -n 1)
    for root in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
        [ -n "$group" ] && [ -e "$root$group/cgroup.procs" ] || continue
        grep -vx "$pid" "$root$group/cgroup.procs"
        echo "$pid"
        return
    done
    cat "/proc/$pid/task/$pid/children" 2>/dev/null
    echo "$pid"
}
