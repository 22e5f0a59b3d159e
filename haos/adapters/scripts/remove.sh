# Take a pair off the node; what pairs share goes with the last one. Every part is done if it is still to do, so that
# a removal that was killed anywhere is finished by the next. A node that haos never touched is left alone.
lock
temps=
trap 'rm -f $temps' EXIT
trap 'exit 143' TERM INT HUP PIPE
did() { emit done "$1"; }
left() { emit left "$1"; }

# take PATH…: remove what is there, and say so.
take() {
    for path in "$@"; do
        [ -e "$path" ] || [ -L "$path" ] || continue
        rm -rf "$path" || die "cannot remove $path"
        did "removed $path"
    done
}

is_ours_here() {
    [ -d "$FOLDER" ] || [ -e "$DROP_IN" ] || { [ -f "$MAIN" ] && grep -qxF "$INCLUDE" "$MAIN"; }
}

was() {
    cat "$UNIT_WAS" 2>/dev/null
}

stop_daemon() {
    case $(state) in
    active | reloading | activating)
        timeout 30 systemctl stop keepalived.service 9>&- || die "keepalived did not stop: $(why_not)"
        did "stopped keepalived"
        ;;
    esac
    case $(was) in
    disabled*) systemctl disable --quiet keepalived.service 2>/dev/null 9>&- && did "disabled keepalived, as it was" ;;
    esac
    systemctl reset-failed keepalived.service 2>/dev/null 9>&-
}

# without_line FILE: the file without our line; 1 is grep's word for "nothing is left".
without_line() {
    grep -avxF "$INCLUDE" "$1"
    [ $? -le 1 ]
}

# The foreign keepalived.conf gets its bytes back: our line with its end, or with the one before it if it has none.
exclude_from_foreign() {
    main=$(readlink -f "$MAIN")
    temp=${main%/*}/.haos-${main##*/}.tmp
    temps="$temp $temp.lines"
    cp -a "$main" "$temp" || die "cannot copy $main"
    if [ -z "$(tail -c 1 "$main")" ]; then
        without_line "$main" >"$temp"
    elif [ "$(tail -n 1 "$main")" = "$INCLUDE" ]; then
        head -c "-$((${#INCLUDE} + 1))" "$main" >"$temp"
    else
        without_line "$main" >"$temp.lines" && head -c -1 "$temp.lines" >"$temp"
    fi || die "cannot write $temp: is the disk full?"
    rm -f "$temp.lines"
    sync_folder "$temp"
    mv -f "$temp" "$main" || die "cannot replace $main"
    command -v restorecon >/dev/null 2>&1 && restorecon "$main" >/dev/null 2>&1
    did "removed haos's line from $main"
}

# The daemon goes back to what it was before the first pair, unless somebody else's instance lives on it by now: one
# that was added since, or put to use, must not end with haos's.
settle_daemon() {
    case $(was) in
    *' inactive' | *' failed')
        has_others_to_run || { stop_daemon; return; }
        is_state active && did "left keepalived running: it runs what is not haos's"
        ;;
    esac
    reload
}

remove_last() {
    if main_is_ours; then
        stop_daemon
        take "$MAIN"
    elif [ -f "$MAIN" ] && grep -qxF "$INCLUDE" "$MAIN"; then
        exclude_from_foreign
        settle_daemon
    elif [ -f "$MAIN" ] && [ -f "$UNIT_WAS" ]; then
        settle_daemon # a removal that was killed took the line away already
    elif [ ! -f "$MAIN" ]; then
        stop_daemon
    fi
    take "$DROP_IN"
    if [ -d "${DROP_IN%/*}" ]; then
        systemctl daemon-reload 9>&-
        rmdir "${DROP_IN%/*}" 2>/dev/null
    fi
}

# Only the VIP as keepalived sets it, a host address: the same address in a network's form is somebody else's.
release_vip() {
    case $VIP in *:*) length=128 ;; *) length=32 ;; esac
    ip -o address show to "$VIP" | while read -r _ device family address _; do
        [ "$address" = "$VIP/$length" ] || { [ "$address" = "$VIP" ] && [ "$family" = inet ]; } || continue
        ip address del "$VIP/$length" dev "$device" && did "removed the left-over VIP $VIP from $device"
    done
}

purge_package() {
    names=keepalived
    log=$FOLDER/.haos-log.tmp
    temps="$temps $log"
    [ -s "$MARKER" ] && names=$(cat "$MARKER")
    if command -v apt-get >/dev/null 2>&1; then
        # What came along goes along, unless something that came later wants it.
        wider=$(LC_ALL=C apt-get -s purge $names 2>/dev/null | sed -n 's/^Purg \([^ ]*\).*/\1/p' |
            grep -vxF "$(printf '%s\n' "$names" | sed 's/:.*//')")
        [ -z "$wider" ] || names=keepalived
        DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout="$PACKAGE_LOCK_TIMEOUT_S" purge $names >"$log" 2>&1 9>&-
    elif command -v dnf >/dev/null 2>&1; then
        dnf -y -q remove keepalived >/dev/null 2>&1 9>&-
    elif command -v zypper >/dev/null 2>&1; then
        zypper --non-interactive --quiet remove --clean-deps keepalived >/dev/null 2>&1 9>&-
    else
        false
    fi
}

purge() {
    if [ ! -e "$MARKER" ]; then
        : # haos did not install it
    elif has_pairs; then
        did "kept package keepalived: other pairs need it"
    elif [ -f "$MAIN" ]; then
        did "kept package keepalived: $MAIN, which is not haos's, needs it"
    elif ! has_package; then
        :
    elif (umask 022 && purge_package) || ! has_package; then
        hash -r # what the shell remembers of it is no longer true
        did "removed package keepalived"
    else
        left "package keepalived: the package manager did not remove it"
    fi
}

# has_others: pairs beside this one.
has_others() {
    for file in "$FOLDER"/*.conf "$FOLDER"/*.conf.withdrawn; do
        [ -f "$file" ] && [ "${file%.withdrawn}" != "$FOLDER/$PAIR.conf" ] && return 0
    done
    return 1
}

# forget_files: the pair's own go last. One that comes back in another mode is put in their place by its
# configuration; until then they are all that keeps its service checks.
forget_files() {
    if [ "$RETURNING" = yes ]; then
        [ -z "$was_there" ] || did "moved $conf aside"
        return
    fi
    for check in "$FOLDER/$PAIR".check-*; do
        is_check_of "$PAIR" "$check" && take "$check"
    done
    take "$FOLDER/$PAIR.weight"
    if [ -n "$was_there" ]; then
        rm -f "$conf.withdrawn" || die "cannot remove $conf.withdrawn"
        did "removed $conf"
    else
        take "$conf.withdrawn"
    fi
}

# The pair's file stays, out of keepalived's sight, until all is undone that it tells of.
remove_pair() {
    conf=$FOLDER/$PAIR.conf
    was_there=
    rm -f "$WITHDREW$PAIR"
    if [ -f "$conf" ]; then
        mv -f "$conf" "$conf.withdrawn" || die "cannot move $conf aside"
        sync_folder "$FOLDER"
        was_there=yes
    fi
    if [ "$RETURNING" = yes ] && ! has_others && main_is_ours; then
        stop_daemon # a change of mode does not survive a reload
    elif [ "$RETURNING" = yes ] || has_others; then
        reload
        wait_until 10 is_gone "$PAIR" || die "keepalived still runs haos_$PAIR: $(why_not)"
    else
        remove_last
    fi
    links=$(vmac_links "$conf.withdrawn")
    release_links "$links"
    release_vip
    [ -z "$links" ] || release_tables
    forget_files
    restore_sysctls
}

# A drop-in goes together with its folder if it is alone there: of an empty one nobody could say whose it was.
take_keep_files() {
    for file in "$NETWORKD"/*.network.d/haos.conf; do
        [ -f "$file" ] && [ "$(head -n 1 "$file")" = "$KEEP_MARKER" ] || continue
        folder=${file%/*}
        if [ "$(ls -A "$folder")" = haos.conf ]; then
            mv -T "$folder" "$(aside "$folder")" && rm -rf "$(aside "$folder")" || die "cannot remove $file"
            did "removed $file"
        else
            take "$file"
        fi
    done
}

end_fault || left "the fault $(cat "$RUN/fault"): it could not be undone yet"
if [ "$RETURNING" = no ] && read -r _ _ holder _ 2>/dev/null <"$TURN_FILE" && [ "$holder" = "$PAIR" ]; then
    forget_turn
fi
ours=no
if is_ours_here; then
    ours=yes
    sweep
    put_example_aside
    remove_pair
fi
[ "$PURGE" = no ] || purge
if [ "$ours" = yes ] && [ "$RETURNING" = no ] && ! has_pairs; then
    if [ -f "$SHIPPED" ] && command -v keepalived >/dev/null 2>&1 && [ ! -e "$MAIN" ]; then
        mv "$SHIPPED" "$MAIN" && did "put the package's own $MAIN back"
    fi
    take_keep_files
    rm -f "$PENDING"
    take "$MARKER" "$UNIT_WAS" "$SHIPPED" "$RELEASE"
    rm -f "$FOLDER/.haos-log.tmp"
    rmdir "$FOLDER" 2>/dev/null && did "removed $FOLDER"
    command -v keepalived >/dev/null 2>&1 || rmdir /etc/keepalived 2>/dev/null
    [ ! -d "$FOLDER" ] || did "kept $FOLDER: it holds files that are not haos's"
    rm -f /tmp/keepalived.json
fi
if [ "$RETURNING" = no ] && ! has_pairs; then
    rm -f "$LOCK"
fi
echo end
