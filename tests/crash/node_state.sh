# All of a node that haos, or what haos runs there, could have changed; one line each. Run as root, read by state.py.
# First of all whatever a haos that was killed had begun here is let finish: its logins end, and then its scripts,
# which go on without it, and which hold a lock.
LC_ALL=C
export LC_ALL

uptime_s() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

at_rest() {
    [ "$(pgrep -c '^sshd: [^ ]*@notty' -f)" -le 1 ] || return 1 # this one
    pgrep -f '^(sudo -n )?timeout -k 2 ' >/dev/null && return 1
    [ ! -e /run/haos.lock ] || flock -n /run/haos.lock true
}

until_s=$(($(uptime_s) + REST_S))
until at_rest; do
    [ "$(uptime_s)" -lt "$until_s" ] || { ps axo pid,args; exit 3; }
    sleep 0.05
done

# listed ROOT…: type, mode, owner and name of everything below, and where links lead.
listed() {
    find "$@" -xdev -printf '%y %m %u %g %p %l\n' 2>/dev/null
}

hashed() {
    find "$@" -xdev -type f -print0 2>/dev/null | xargs -0 -r sha256sum 2>/dev/null
}

part() {
    sed "s|^|$1 |"
}

listed /etc /usr/local /opt /root /home | part tree
hashed /etc /root /home /run/haos /run/haos.lock /run/lock /tmp /var/tmp | part content
# Streams and invocations are systemd's numbers for what runs, transient is where it keeps what is started by hand, and
# stays when that has ended; timedated is started by the bus for whoever asks for the time, and ends by itself. ucf keeps
# what it knew before of every package's files.
listed /run /tmp /var/tmp /var/lib | grep -v -e ' /run/systemd/journal/streams/' -e ' /run/systemd/units/' \
    -e ' /run/systemd/transient $' -e ' /var/lib/dpkg/' -e ' /var/lib/apt/' -e ' /var/lib/ucf/hashfile' \
    -e systemd-timedated | part tree
# Most of the time that all of this takes; only packages change anything there. The size of a folder says nothing: it is
# another one as soon as anything in it was changed, and changed back.
[ "$WIDE" = no ] || find /usr -xdev \( -type d -printf '%y %m %u %g - %p\n' \) -o -printf '%y %m %u %g %s %p %l\n' |
    sort | sha256sum | part usr
dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' | part package
systemctl show keepalived.service \
    -p LoadState,ActiveState,SubState,UnitFileState,DropInPaths,NeedDaemonReload | part unit
systemctl list-units --all --no-legend --plain --type=service,timer,scope 'haos*' | part unit
systemctl list-units --no-legend --plain --state=failed | part failed
grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4/ip_nonlocal_bind | part sysctl
# An interface's number is how many there have been since the boot.
ip -o address show | sed 's/^[0-9]*: //; s/ valid_lft .*//' | part address
ip -o link show | sed 's/^[0-9]*: //' | part link
ip route show table all | part route
ip -6 route show table all | part route
ip rule | part rule
nft -s list ruleset | part nft
for device in /sys/class/net/*; do
    tc qdisc show dev "${device##*/}" | part "tc ${device##*/}"
    tc filter show dev "${device##*/}" 2>/dev/null | part "tc ${device##*/}"
done

# What the daemon itself says that it runs, which its files do not tell.
if [ "$LIVE" = yes ] && [ "$(systemctl is-active keepalived.service)" = active ]; then
    rm -f /tmp/keepalived.json
    kill -s "$(keepalived --signum=JSON)" "$(systemctl show -p MainPID --value keepalived.service)"
    tries=100
    until [ "$(tail -c 2 /tmp/keepalived.json 2>/dev/null | tr -d '\n')" = ']' ] || [ "$tries" -eq 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
    done
    { tr -d '\n' </tmp/keepalived.json; echo; } | part daemon
    rm -f /tmp/keepalived.json
fi
echo end
