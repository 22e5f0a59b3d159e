# What keepalived's vmac mode leaves behind (measured, 2.2.7): arp_ignore and arp_filter of the interface, for good; its
# nft table, if the router went by a reload; rp_filter of all, its own link and the table, if it was killed.
SYSCTLS=$FOLDER/.sysctls-before-vmac
CONF=net/ipv4/conf

# vmac_links FILE…: print "LINK INTERFACE" of every pair in vmac mode.
vmac_links() {
    for file in "$@"; do
        [ -f "$file" ] && sed -n 's/^# haos-vmac: \([^ ]*\) on \([^ ]*\)$/\1 \2/p' "$file"
    done
}

# save_sysctls INTERFACE: each value once only, before the first virtual router changes it.
save_sysctls() {
    temp=$FOLDER/.haos-sysctls.tmp
    cat "$SYSCTLS" >"$temp" 2>/dev/null
    for key in "$CONF/$1/arp_ignore" "$CONF/$1/arp_filter" "$CONF/all/rp_filter"; do
        grep -q "^$key " "$temp" || echo "$key $(cat "/proc/sys/$key")" >>"$temp" || die "cannot write $temp"
    done
    cmp -s "$temp" "$SYSCTLS" || mv -f "$temp" "$SYSCTLS" || die "cannot write $SYSCTLS"
    rm -f "$temp"
    sync_folder "$FOLDER"
}

# restore_sysctls: those that no pair needs any more, if they are still what keepalived made them.
restore_sysctls() {
    [ -f "$SYSCTLS" ] || return 0
    links=$(
        for other in "$FOLDER"/*.conf "$FOLDER"/*.conf.withdrawn; do
            [ "$other" = "$FOLDER/$PAIR.conf.withdrawn" ] || vmac_links "$other"
        done
        others_links
    )
    temp=$FOLDER/.haos-sysctls.tmp
    : >"$temp"
    while read -r key value; do
        interface=${key#"$CONF/"}
        interface=${interface%/*}
        case $interface in
        all) needed=$links made=0 ;;
        *) needed=$(printf '%s\n' "$links" | grep " $interface\$") made=1 ;;
        esac
        if [ -n "$needed" ] && has_pairs; then
            echo "$key $value" >>"$temp"
        elif [ -n "$needed" ]; then
            left "$key as it is: $(printf '%s' "$needed" | head -n 1 | cut -d ' ' -f 1) needs it"
        elif [ "$value" != "$made" ] && [ "$(cat "/proc/sys/$key" 2>/dev/null)" = "$made" ]; then
            echo "$value" >"/proc/sys/$key" && did "set $key back to $value"
        fi
    done <"$SYSCTLS"
    if [ -s "$temp" ]; then
        mv -f "$temp" "$SYSCTLS"
    else
        rm -f "$temp" "$SYSCTLS"
    fi
}

# Print "LINK INTERFACE" of the virtual routers that are there, whoever's.
others_links() {
    ip -o link show type macvlan 2>/dev/null | sed -n 's/^[0-9]*: \([^@ ]*\)@\([^: ]*\):.*/\1 \2/p' | grep '^vrrp'
}

is_no_link() {
    ! ip link show dev "$1" >/dev/null 2>&1
}

# release_links "LINK INTERFACE"…: keepalived takes its own link away; one that it was killed with stays, and answers.
release_links() {
    printf '%s\n' "$1" | while read -r link interface; do
        [ -n "$link" ] || continue
        is_no_link "$link" && continue
        is_state active && wait_until 3 is_no_link "$link" && continue
        others_links | grep -qxF "$link $interface" && ip link del "$link" 2>/dev/null && did "removed the link $link"
    done
}

# Measured: a keepalived that runs without its table takes up a new router all the same; it only suppresses IGMP.
release_tables() {
    [ -z "$(others_links)" ] || return
    for family in ip ip6; do
        nft delete table "$family" keepalived 2>/dev/null && did "removed the table $family keepalived"
    done
}
