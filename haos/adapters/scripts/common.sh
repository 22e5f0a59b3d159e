# Shared by all steps. The preamble before it sets the step's parameters.
set -u
LC_ALL=C
export LC_ALL
umask 077
MAIN=/etc/keepalived/keepalived.conf
FOLDER=/etc/keepalived/haos.d
DROP_IN=/etc/systemd/system/keepalived.service.d/haos.conf
NETWORKD=/etc/systemd/network
RELEASE=$FOLDER/release-vips
MARKER=$FOLDER/.package-by-haos
UNIT_WAS=$FOLDER/.unit-was
PENDING=$FOLDER/.pending
SHIPPED=$FOLDER/.shipped-keepalived.conf
NO_MAIN=$FOLDER/.no-keepalived-conf
MASKED=/run/haos.masked
LOCK=/run/haos.lock
RUN=/run/haos

die() {
    printf 'haos: %s\n' "$*" >&2
    exit 9
}

# Print a key and its text, unambiguous whatever the text holds.
emit() {
    printf '%s ' "$1"
    printf '%s' "$2" | base64 -w 0
    echo
}

emit_file() {
    printf '%s ' "$1"
    base64 -w 0 <"$2"
    echo
}

uptime_s() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

# wait_until SECONDS COMMAND…: look every 50 ms until the command succeeds; false at the deadline.
wait_until() {
    deadline=$(($(uptime_s) + $1 + 1))
    shift
    until "$@"; do
        [ "$(uptime_s)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# One step at a time on this node, whoever started it. The file is haos's too and goes with the last pair: a lock on
# a file that was removed meanwhile is none.
lock() {
    until_s=$(($(uptime_s) + ${LOCK_TIMEOUT_S:-60}))
    while :; do
        exec 9>"$LOCK" || die "cannot open $LOCK"
        left_s=$((until_s - $(uptime_s)))
        [ "$left_s" -gt 0 ] && flock -w "$left_s" 9 || die "another haos is at work on this node ($LOCK is held)"
        if [ "$LOCK" -ef "/proc/$$/fd/9" ]; then
            unmask
            return
        fi
    done
}

# The lock, for a step that changes what its haos may have taken back by the time it comes to its turn: where that haos
# is gone, nobody reads what it says, and it ends here.
lock_if_wanted() {
    lock
    emit begun '' || exit 1
}

main_pid() {
    pid=$(systemctl show -p MainPID --value keepalived.service 2>/dev/null)
    [ "${pid:-0}" -gt 0 ] && echo "$pid"
}

state() {
    systemctl is-active keepalived.service 2>/dev/null 9>&-
}

is_state() {
    [ "$(state)" = "$1" ]
}

has_child() {
    pid=$(main_pid) || return 1
    children=/proc/$pid/task/$pid/children # a kernel may be built without it
    [ ! -e "$children" ] || [ -n "$(cat "$children")" ]
}

is_settled() {
    is_state active && has_child
}

# dump WORD FILE TRIES: let keepalived write its state and print it; false if none came (50 ms a try). In its own
# /tmp, which may be a private one; a file that is a link, or not root's, is somebody else's.
dump() {
    pid=$(main_pid) || return 1
    signal=$(keepalived --signum="$1" 2>/dev/null) || return 1
    where=/proc/$pid/root/tmp/$2
    rm -f "$where"
    kill -"$signal" "$pid" 2>/dev/null || return 1
    tries=$3
    until is_whole "$where"; do
        [ "$tries" -gt 0 ] || return 1
        tries=$((tries - 1))
        sleep 0.05
    done
    cat "$where"
    rm -f "$where" "${where%/*}/keepalived_parent.data"
}

is_whole() {
    [ -f "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && [ -n "$(tail -c 2 "$1" 2>/dev/null)" ] || return 1
    case $1 in
    *.json)
        case $(head -c 1 "$1")$(tr -d '\n' <"$1" | tail -c 1) in
        '[]' | '{}') ;; # a list, or (json_version 2) an object
        *) return 1 ;;
        esac
        ;;
    esac
}

# runs INSTANCE: whether keepalived says that it runs it. 0 yes, 1 no, 2 it does not say.
runs() {
    text=$(dump JSON keepalived.json "${2:-40}") || return 2
    case $text in
    *"\"iname\":\"$1\""* | *"\"iname\": \"$1\""*) return 0 ;;
    esac
    return 1
}

is_running_all() {
    is_settled || return 1
    for file in "$FOLDER"/*.conf; do
        [ -f "$file" ] || continue
        name=${file##*/}
        runs "haos_${name%.conf}"
        [ $? -ne 1 ] || return 1
    done
}

is_gone() {
    is_state active || return 0
    runs "haos_$1" 6
    [ $? -ne 0 ]
}

# The unit is masked while its package is being installed: a run that was killed then left it so.
unmask() {
    [ -e "$MASKED" ] || return 0
    systemctl unmask --runtime keepalived.service >/dev/null 2>&1 9>&-
    rm -f "$MASKED"
}

# make_folder PATH UMASK: it has its mode from its beginning, so that a step that is killed leaves it with no other.
make_folder() {
    [ -d "$1" ] || (umask "$2" && mkdir -p "$1") || die "cannot make $1"
}

# aside FOLDER: where a folder is filled before it comes into its place as a whole, or emptied after it has left it.
aside() {
    echo "${1%/*}/.haos-${1##*/}.tmp"
}

# What a step that was killed left half-made.
sweep() {
    rm -rf "$FOLDER"/.haos-* /etc/keepalived/.haos-* "${DROP_IN%/*}"/.haos-* "$(aside "${DROP_IN%/*}")" \
        "$NETWORKD"/*.network.d/.haos-* "$NETWORKD"/.haos-*.network.d.tmp
    if [ -L "$MAIN" ]; then
        main=$(readlink -f "$MAIN")
        rm -f "${main%/*}"/.haos-*.tmp*
    fi
}

has_pairs() {
    for file in "$FOLDER"/*.conf "$FOLDER"/*.conf.withdrawn; do
        [ -f "$file" ] && return 0
    done
    return 1
}

has_active_pairs() {
    for file in "$FOLDER"/*.conf; do
        [ -f "$file" ] && return 0
    done
    return 1
}

# is_check_of PAIR FILE: whether it is that pair's service check; "web.check-1" may be another pair's name.
is_check_of() {
    [ -f "$2" ] || return 1
    case ${2#"$FOLDER/$1.check-"} in
    '' | *[!0-9]*) return 1 ;;
    esac
}

is_check() {
    name=${1##*/}
    is_check_of "${name%.check-*}" "$1"
}

# Service checks that no pair's file names any more; only after the reload, up to which keepalived runs them.
sweep_checks() {
    for check in "$FOLDER"/*.check-*; do
        is_check "$check" || continue
        cat "$FOLDER"/*.conf "$FOLDER"/*.conf.withdrawn 2>/dev/null | grep -qF "\"$check\"" || rm -f "$check"
    done
}

# Whether keepalived.conf holds nothing but lines that haos wrote (OUR_LINES: those, one a line).
main_is_ours() {
    [ -f "$MAIN" ] && head -n 1 "$MAIN" | grep -qxF "$(printf '%s\n' "$OUR_LINES" | head -n 1)" || return 1
    ! sed 's/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' "$MAIN" | grep -qvxF "$OUR_LINES"
}

# Every file that keepalived would read: keepalived.conf and, three levels deep, what it includes; withdrawn pairs too.
config_files() {
    level=$MAIN
    for depth in 1 2 3; do
        next=
        for file in $level "$FOLDER"/*.conf.withdrawn; do
            [ -f "$file" ] || continue
            echo "$file"
            [ "${file%.withdrawn}" = "$file" ] || continue
            for pattern in $(sed -n 's/[#!].*//; s/^[[:space:]]*include[a-z]*[[:space:]]\{1,\}//p' "$file" | tr -d '"'); do
                case $pattern in
                /*) next="$next $pattern" ;;
                *) next="$next ${file%/*}/$pattern" ;;
                esac
            done
        done
        level=$next
    done | sort -u
}

# Everything that keepalived reads and that is not haos's.
others_config() {
    config_files | while IFS= read -r file; do
        [ "${file%/*}" = "$FOLDER" ] || { cat "$file"; echo; }
    done | head -c 1000000
}

# has_others_to_run: whether keepalived has something to run that is not haos's, by its files or by what it runs now.
has_others_to_run() {
    others_config | sed 's/[#!].*//' | grep -qE '^[[:space:]]*(vrrp_instance|virtual_server)[[:space:]]' && return
    dump JSON keepalived.json 20 | grep -oE '"iname": ?"[^"]*"' | grep -qvE '"haos_[^"]*"$'
}

# has_package: whether keepalived is there for the package manager, be it half installed.
has_package() {
    if command -v apt-get >/dev/null 2>&1; then
        case $(dpkg-query -W -f '${db:Status-Status}' keepalived 2>/dev/null) in
        '' | not-installed | config-files) return 1 ;;
        esac
    else
        rpm -q keepalived >/dev/null 2>&1
    fi
}

# Some distributions ship an example as keepalived.conf, with VIPs of its own. is_example: whether it lies there,
# untouched, since a run was killed over the installation; what somebody has written since is his.
is_example() {
    [ -e "$NO_MAIN" ] && [ -f "$MAIN" ] || return 1
    if command -v apt-get >/dev/null 2>&1; then
        sum=$(md5sum <"$MAIN")
        dpkg-query -W -f '${Conffiles}\n' keepalived 2>/dev/null | grep -qF " $MAIN ${sum%% *}"
    else
        rpm -ql keepalived 2>/dev/null | grep -qxF "$MAIN" &&
            ! rpm -V --nodeps --noscripts keepalived 2>/dev/null | grep -qF " $MAIN"
    fi
}

# For a run that was killed over the installation: the example must not run.
put_example_aside() {
    [ -e "$NO_MAIN" ] || return 0
    if is_example; then
        mv -f "$MAIN" "$SHIPPED" || die "cannot move $MAIN aside"
        sync_folder "$FOLDER"
    fi
    rm -f "$NO_MAIN"
}

# Who has dpkg's lock, if it is not haos's own installation, whose output goes to its log.
emit_packager() {
    for holder in $(find /proc/[0-9]*/fd -lname '/var/lib/dpkg/lock*' 2>/dev/null | cut -d / -f 3 | sort -un); do
        case $(readlink "/proc/$holder/fd/1") in
        "$FOLDER"/.haos-*) return ;;
        esac
        name=$(cat "/proc/$holder/comm" 2>/dev/null) || continue # it has ended meanwhile
        who=${who-$name, process $holder}                       # the first: the others are what it has started
    done
    [ -z "${who-}" ] || emit packager "$who"
}

why_not() {
    journalctl -q -u keepalived.service -n 20 -o cat --no-pager 2>/dev/null |
        grep -v -e '^Start' -e '^Stop' -e systemd | tail -n 1
}

# keepalived that was started with no instance never reports that it is ready ("activating"); it has none to lose.
reload() {
    case $(state) in
    active | reloading)
        systemctl reload keepalived.service 9>&- || die "keepalived was not reloaded: $(why_not)"
        ;;
    activating)
        if has_active_pairs; then
            start
        fi
        ;;
    esac
}

start() {
    systemctl reset-failed keepalived.service 2>/dev/null 9>&-
    timeout 30 systemctl restart keepalived.service 9>&- || die "keepalived did not start: $(why_not)"
}

await_running() {
    wait_until 15 is_running_all || die "keepalived does not run all that it should: $(why_not)"
}

sync_folder() {
    sync "$1" 2>/dev/null || sync
}
