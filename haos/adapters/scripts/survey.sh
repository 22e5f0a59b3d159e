# Ask who has ADDRESSES on the segment of this node's address OWN, and listen there for VRRP for LISTEN_S seconds. The kernel asks, by ARP
# or ND, and what it learned is forgotten again. Takes no lock: nothing of a pair is touched.
has() { command -v "$1" >/dev/null 2>&1; }

# entry ADDRESS: the kernel's neighbour entry, "" where there is none.
entry() {
    ip neighbour show to "$1" dev "$INTERFACE" 2>/dev/null
}

is_fixed() {
    case $(entry "$1") in
    *PERMANENT* | *NOARP*) return 0 ;;
    esac
    return 1
}

# An old entry says who answered then: only a new one is news.
ask() {
    is_fixed "$1" && return
    ip neighbour del "$1" dev "$INTERFACE" 2>/dev/null
    ip neighbour replace "$1" dev "$INTERFACE" use 2>/dev/null && return
    ping -n -c 1 -W 1 -I "$INTERFACE" "$1" >/dev/null 2>&1 & # iproute2 before 4.20
}

mac_of() {
    entry "$1" | sed -n 's/.* lladdr \([^ ]*\).*/\1/p'
}

all_known() {
    for address in $ADDRESSES; do
        case $(entry "$address") in
        *lladdr* | *FAILED*) ;;
        *) return 1 ;;
        esac
    done
}

# Prints "VRID VERSION" of every router heard that is not this node itself; multicast is joined for as long as it runs.
listen_by_python() {
    timeout $((${LISTEN_S%.*} + 5)) python3 -c '
import socket, struct, sys, time
device, until = sys.argv[1], time.monotonic() + float(sys.argv[2])
link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
link.bind((device, 3))
for group in ("01005e000012", "333300000012"):
    mreq = struct.pack("iHH8s", socket.if_nametoindex(device), 0, 6, bytes.fromhex(group))
    link.setsockopt(263, 1, mreq)  # SOL_PACKET, PACKET_ADD_MEMBERSHIP of PACKET_MR_MULTICAST
heard = set()
while (left := until - time.monotonic()) > 0:
    link.settimeout(left)
    try:
        data, (_, kind, direction, _, _) = link.recvfrom(2048)
    except socket.timeout:
        break
    if direction == 4:  # PACKET_OUTGOING
        continue
    if kind == 0x0800 and len(data) > 22 and data[9] == 112:
        heard.add((data[(data[0] & 15) * 4 + 1], 4))
    elif kind == 0x86DD and len(data) > 42 and data[6] == 112:
        heard.add((data[41], 6))
for vrid, version in sorted(heard):
    print(vrid, version)
' "$INTERFACE" "$LISTEN_S"
}

listen_by_tcpdump() {
    timeout -s INT "$LISTEN_S" tcpdump -i "$INTERFACE" -n -l -v -Q in 'ip proto 112 or ip6 proto 112' |
        awk '/ IP6? \(/ { version = / IP6 / ? 6 : 4 }
            match($0, /vrid [0-9]+/) { print substr($0, RSTART + 5, RLENGTH - 5), version }' | sort -u
}

INTERFACE=$(ip -o address show to "$OWN" | awk 'NR == 1 { print $2 }')
[ -n "$INTERFACE" ] || die "$OWN is not an address of this node"
listener=
if has python3 || has tcpdump; then
    # Without a name from the start: nothing of it is left, however this ends.
    heard=$(mktemp) && exec 3>"$heard" 4<"$heard" && rm -f "$heard" || die "cannot make a temporary file"
    if has python3; then
        listen_by_python >&3 2>/dev/null &
    else
        listen_by_tcpdump >&3 2>/dev/null &
    fi
    listener=$!
fi
for address in $ADDRESSES; do
    ask "$address"
done
listened=no
if [ -n "$listener" ] && wait "$listener"; then
    listened=yes
fi
# Whoever has an address has said so within milliseconds: to have listened was to wait long enough.
case $listened:$LISTEN_S in
yes:[1-9]*) ;;
*) wait_until 1 all_known ;;
esac
for address in $ADDRESSES; do
    mac=$(mac_of "$address")
    [ -z "$mac" ] || emit answer "$address $mac"
    is_fixed "$address" || ip neighbour del "$address" dev "$INTERFACE" 2>/dev/null
done
if [ "$listened" = yes ]; then
    while IFS= read -r line; do
        emit heard "$line"
    done <&4
fi
emit listened "$listened"
wait
echo end
