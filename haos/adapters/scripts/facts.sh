# Look at the node: nothing is changed, no lock is taken, and what could be slow has a time limit.
has() { command -v "$1" >/dev/null 2>&1; }

is_running() {
    [ "$(systemctl is-active "$1" 2>/dev/null)" = active ]
}

emit_pairs() {
    for file in "$FOLDER"/*.conf "$FOLDER"/*.conf.withdrawn; do
        [ -f "$file" ] || continue
        name=${file##*/}
        case $name in
        *.conf) emit_file "pair:${name%.conf}" "$file" ;;
        *)
            name=${name%.conf.withdrawn}
            [ -f "$FOLDER/$name.conf" ] && continue
            emit_file "pair:$name" "$file"
            emit "withdrawn:$name" ''
            ;;
        esac
    done
    for file in "$FOLDER"/*.weight; do
        [ -f "$file" ] || continue
        name=${file##*/}
        emit_file "weight:${name%.weight}" "$file"
    done
    for file in "$FOLDER"/*.check-*; do
        is_check "$file" && emit_file "check:${file##*/}" "$file"
    done
}

# Who may read and write what is haos's own: "640 0 0 PATH" for each file, and the folder.
emit_modes() {
    emit modes "$(stat -L -c '%a %u %g %n' "$FOLDER" "$FOLDER"/*.conf "$FOLDER"/*.check-* "$RELEASE" "$MAIN" "$DROP_IN" \
        "$NETWORKD"/*.network.d/haos.conf 2>/dev/null)"
}

emit_keepalived() {
    [ ! -s "$MAIN" ] || emit others_config "$(others_config)"
    has keepalived || return
    emit version "$(keepalived --version 2>&1)"
    [ -s "$MAIN" ] || return
    said=$(timeout 5 keepalived --config-test 2>&1)
    emit config_test "$? $said"
}

# Who is at work with packages: apt and dpkg would wait for that one. Only where haos is to install something.
emit_packagers() {
    ! has keepalived || return
    emit_packager
}

# network_texts FILE: a .network file and its drop-ins, but for haos's own.
network_texts() {
    [ -f "$1" ] || return
    for file in "$1" /usr/lib/systemd/network/"${1##*/}".d/*.conf /run/systemd/network/"${1##*/}".d/*.conf \
        /etc/systemd/network/"${1##*/}".d/*.conf; do
        [ -f "$file" ] && [ "${file##*/}" != haos.conf ] && { cat "$file"; echo; }
    done
}

# Who configures the network cards, in the managers' own state files: asking them by their tools takes far longer.
emit_network() {
    if is_running systemd-networkd.service; then
        for file in /run/systemd/netif/links/*; do
            [ -f "$file" ] || continue
            emit_file "networkd:${file##*/}" "$file"
            emit "network_texts:${file##*/}" "$(network_texts "$(sed -n 's/^NETWORK_FILE=//p' "$file")")"
        done
    fi
    if is_running NetworkManager.service; then
        for file in /run/NetworkManager/devices/*; do
            [ -f "$file" ] && emit_file "nm:${file##*/}" "$file"
        done
    fi
    [ -f /run/network/ifstate ] && emit_file ifupdown /run/network/ifstate
    for file in /etc/systemd/network/*.network.d/haos.conf; do
        [ -f "$file" ] && emit_file "keep:$file" "$file"
    done
    emit systemd_version "$(systemctl --version 2>/dev/null | head -n 1)"
}

# Some versions of iptables make tables by listing them: they are asked only where they are known to have rules.
has_rules() {
    case $nft in
    *"\"family\": \"$1\", \"table\": \"filter\""*) return 0 ;;
    esac
    grep -qx filter "$2" 2>/dev/null
}

emit_firewall() {
    nft=
    if has nft; then
        nft=$(timeout 3 nft -j list ruleset 2>/dev/null | head -c 4000000)
        emit nft "$nft"
    fi
    has iptables && has_rules ip /proc/net/ip_tables_names && emit iptables "$(timeout 3 iptables -S 2>/dev/null)"
    has ip6tables && has_rules ip6 /proc/net/ip6_tables_names && emit ip6tables "$(timeout 3 ip6tables -S 2>/dev/null)"
}

# A run that was killed over the installation left the package's example where it came: it is as good as not there.
if is_example; then
    MAIN=$FOLDER/.none
fi

emit hostname "$(uname -n)"
emit os_release "$(cat /etc/os-release 2>/dev/null)"
for tool in apt-get dnf zypper; do
    has "$tool" && { emit package_manager "${tool%-get}"; break; }
done
emit systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
emit addresses "$(ip -j address show)"
emit_keepalived
emit_packagers
emit active "$(state)"
emit enabled "$(systemctl is-enabled keepalived.service 2>/dev/null)"
[ -f "$MAIN" ] && emit_file main_config "$MAIN"
emit_pairs
emit_modes
[ -f "$PENDING" ] && emit pending ''
[ -e "$RUN/heal" ] && emit fault "$(cat "$RUN/fault" 2>/dev/null)"
[ -e "$RUN/watch.began" ] && emit tested ''
[ -f "$DROP_IN" ] && emit_file drop_in "$DROP_IN"
[ -f "$RELEASE" ] && emit_file release_script "$RELEASE"
emit markers "$(ls -d "$MARKER" 2>/dev/null)"
emit_network
emit_firewall
emit root "$(id -u)"
emit capabilities "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
emit uid_map "$(cat /proc/self/uid_map)"
emit clock "$(timeout 2 timedatectl show -p NTPSynchronized --value 2>/dev/null)"
emit free_kb "$(df -Pk /etc | awk 'NR == 2 { print $4 }')"
has getenforce && emit selinux "$(getenforce 2>/dev/null)"
emit tools "$(for tool in bash curl wget python3 arping ping restorecon; do has "$tool" && echo "$tool"; done)"
echo end
