"""The faults of a node's network: frames that are lost, and a link that goes down."""

from __future__ import annotations

from haos.core import vrrp
from haos.workflow.fault import Fault, NodeSide

# tc first, since iproute2 is everywhere; classic BPF, since it needs no module but its own. A clsact of somebody else
# is left alone: what his filters let pass would never come to ours.
_CUT = """
PREFERENCE=48
cut_by_tc() {
    command -v tc >/dev/null 2>&1 || return 1
    tc qdisc show dev "$INTERFACE" | grep -qE '^qdisc (clsact|ingress) ' && return 1
    mkdir -p "$SAVED" && printf '%s\n' "$1" >"$SAVED/clsact" || return 1
    stamp injected
    tc -batch - <<END && return
qdisc add dev $INTERFACE clsact
filter add dev $INTERFACE egress pref $PREFERENCE protocol all bpf direct-action bytecode-file $SAVED/clsact
filter add dev $INTERFACE ingress pref $PREFERENCE protocol all bpf direct-action bytecode-file $SAVED/clsact
END
    uncut_by_tc
    return 1
}
uncut_by_tc() {
    [ -e "$SAVED/clsact" ] || return 0
    for way in egress ingress; do
        tc filter del dev "$INTERFACE" "$way" pref "$PREFERENCE"
    done
    left=$(tc filter show dev "$INTERFACE" ingress; tc filter show dev "$INTERFACE" egress)
    case $left in
    '') tc qdisc del dev "$INTERFACE" clsact ;;
    *" pref $PREFERENCE "*) return 1 ;;
    esac
    rm -f "$SAVED/clsact"
}
cut_by_nft() {
    command -v nft >/dev/null 2>&1 || return 1
    stamp injected
    nft -f - <<END
table netdev haos_fault {
    chain out { type filter hook egress device "$INTERFACE" priority -500; policy accept; $1 drop; }
    chain in { type filter hook ingress device "$INTERFACE" priority -500; policy accept; $1 drop; }
}
END
}
# cut PROGRAM RULE: lose both ways whatever the program of tc, or else the rule of nft, picks.
cut() {
    cut_by_tc "$1" 2>/dev/null || cut_by_nft "$2" 2>/dev/null ||
        die "neither tc nor nft can drop frames both ways here: install tc (package iproute-tc or iproute2)"
}
uncut() {
    nft delete table netdev haos_fault 2>/dev/null
    uncut_by_tc 2>/dev/null && ! nft list table netdev haos_fault >/dev/null 2>&1 ||
        die "frames of $INTERFACE are still dropped"
}
"""
# Returning 2 drops the frame (TC_ACT_SHOT), 4294967295 leaves it to whoever comes next (TC_ACT_UNSPEC).
_ALL = "1,6 0 0 2,"
_VRRP = (
    "14,40 0 0 12,"  # EtherType
    "21 0 5 2048,48 0 0 23,21 0 9 112,177 0 0 14,80 0 0 15,21 5 6 $vrid,"  # IPv4, protocol 112, header's length, VRID
    "21 0 5 34525,48 0 0 20,21 0 3 112,48 0 0 55,21 0 1 $vrid,"  # IPv6, next header 112, VRID
    "6 0 0 2,6 0 0 4294967295,"
)
PARTITION = Fault(
    "partition",
    "every frame of the node's interface is lost, both ways",
    vrrp.bound_of_crash_s,
    NodeSide(f'{_CUT}cut "{_ALL}" ""', f"{_CUT}uncut"),
    whole_node=True,
    cuts=True,
)
VRRP_BLOCK = Fault(
    "vrrp-block",
    "this pair's VRRP alone is lost, both ways",
    vrrp.bound_of_crash_s,
    NodeSide(
        f"""{_CUT}
vrid=$(sed -n 's/^ *virtual_router_id //p' "$FOLDER/$PAIR.conf") && [ -n "$vrid" ] ||
    die "pair $PAIR is not on this node"
cut "{_VRRP}" "meta l4proto 112 @th,8,8 $vrid"
""",
        f"{_CUT}uncut",
    ),
    splits=True,
)

# A link that goes down loses its IPv6 addresses, its routes and its fixed neighbours (measured); what of all that the
# kernel makes by itself is not kept. Nor is what keepalived adds and takes away, whoever's pair it is for.
_SAVE = r"""
managed() {
    config_files | while IFS= read -r file; do
        sed 's/[#!].*//; /unicast_src_ip\|source_ip\|mcast_src_ip/d' "$file"
        echo
    done | tr -s ' \t{}/' '\n' | grep '[.:]' | sort -u
}
commands_of() {
    awk -v dev="$INTERFACE" -v managed=" $(managed | tr '\n' ' ')" -v kind="$1" '
        function is_managed(address) { sub(/\/.*/, "", address); return index(managed, " " address " ") }
        function is_value_of(word) {
            return word ~ /^(peer|brd|scope|metric|valid_lft|preferred_lft)$/
        }
        { sub(/\\/, " "); out = "" }
        kind == "address" {
            if (is_managed($4) || / temporary /) next
            for (i = 5; i <= NF; i++)
                if (is_value_of($i)) { value = $(i + 1); sub(/sec$/, "", value); out = out " " $i " " value; i++ }
                else if ($i ~ /^(nodad|home|mngtmpaddr|noprefixroute|autojoin)$/) out = out " " $i
                else if ($i == "proto") i++
                else if ($3 == "inet" && index($i, dev) == 1) out = out " label " $i
            print "address replace " $4 out " dev " dev
        }
        kind == "route" {
            if (/ proto kernel / || is_managed($1) || / src / && is_managed(source())) next
            for (i = 1; i <= NF; i++)
                if ($i ~ /^(linkdown|dead|offload|trap|rt_offload|rt_trap)$/) continue
                else if ($i == "error") i++
                else { sub(/^[0-9]+sec$/, int($i), $i); out = out " " $i }
            print "route add" out " dev " dev
        }
        kind == "neighbour" { print "neighbour replace " $1 " lladdr " $3 " nud permanent dev " dev }
        function source() { for (i = 1; i < NF; i++) if ($i == "src") return $(i + 1) }'
}
save_link() {
    mkdir -p "$SAVED"
    {
        ip -o address show dev "$INTERFACE" | commands_of address
        for family in -4 -6; do
            ip "$family" -o route show table all dev "$INTERFACE" type unicast | commands_of route |
                sed "s/^/$family /"
        done
        ip neighbour show dev "$INTERFACE" nud permanent | commands_of neighbour
    } >"$SAVED/link.tmp" && mv "$SAVED/link.tmp" "$SAVED/link"
}
"""
# A route that has more than one next hop, or names one that lies apart, is not put back by one command of one device.
_REFUSE = r"""
lost=$(
    for family in -4 -6; do
        ip "$family" -o route show table all
    done | awk -v dev="$INTERFACE" '
        { gsub(/\\/, " "); $1 = $1 }
        / (nexthop|nhid) / {
            for (i = 1; i < NF; i++)
                if ($i == "dev" && $(i + 1) == dev) { print; next }
        }' | head -n 1
)
[ -z "$lost" ] || die "$INTERFACE stays up: once down, it would lose this route for good: $lost"
"""
# A route may need another one first, and an IPv6 address that nobody else was found to have.
_REPLAY = r"""
replay_link() {
    missing=
    while read -r line; do
        said=$(ip $line 2>&1) && continue
        case $said in *'File exists'*) ;; *) missing="$line: $said" ;; esac
    done <"$SAVED/link"
    [ -z "$missing" ]
}
if [ -e "$SAVED/link" ]; then
    ip link set dev "$INTERFACE" up || die "$INTERFACE does not come up"
    wait_until 10 replay_link || die "of what $INTERFACE had before, this could not be put back: $missing"
fi
"""
LINK_DOWN = Fault(
    "link-down",
    "the node's interface goes down",
    vrrp.bound_of_crash_s,
    NodeSide(
        f"""{_SAVE}
save_link || die "what $INTERFACE has could not be written down"
stamp injected
ip link set dev "$INTERFACE" down || die "$INTERFACE does not go down"
""",
        _REPLAY,
        _REFUSE,
    ),
    whole_node=True,
    cuts=True,
)
