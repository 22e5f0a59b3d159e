# Install keepalived; print its version. The marker is there before the package: a run that was killed in between is
# completed, and undone, as what it is.
lock_if_wanted
version() {
    command -v keepalived >/dev/null 2>&1 && keepalived --version 2>&1 | head -n 1
}

# A manager that failed may have left the package there all the same: then it is haos's to take away again.
finish() {
    unmask
    if [ "$installed" = no ] && [ "$had_package" = no ] && has_package; then
        note_packages
        had_marker=yes
    fi
    has_package || rm -f "$NO_MAIN"
    rm -f "$FOLDER"/.haos-packages.tmp "$FOLDER"/.haos-marker.tmp "${log:-}"
    if [ "$installed" = no ] && [ "$had_marker" = no ]; then
        rm -f "$MARKER"
        rmdir "$FOLDER" 2>/dev/null
        [ "$had_parent" = yes ] || rmdir "${FOLDER%/*}" 2>/dev/null
    fi
}

packages() {
    case $manager in
    apt)
        dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' |
            sed -e '/^not-installed /d' -e '/^config-files /d' -e 's/^[^ ]* //'
        ;;
    *) rpm -qa --qf '%{NAME}.%{ARCH}\n' ;;
    esac | LC_ALL=C sort -u
}

# What came with keepalived, for the day when it goes.
note_packages() {
    [ -f "$FOLDER/.haos-packages.tmp" ] || return
    packages | LC_ALL=C comm -13 "$FOLDER/.haos-packages.tmp" - >"$FOLDER/.haos-marker.tmp" || return
    sync_folder "$FOLDER/.haos-marker.tmp"
    mv -f "$FOLDER/.haos-marker.tmp" "$MARKER"
}

is_locked() {
    tail -n 3 "$log" | grep -q 'Could not get lock'
}

# Waits for apt's locks; the one on its lists, and all of apt before 1.9.11, by asking again.
apt_get() {
    until DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout="$PACKAGE_LOCK_TIMEOUT_S" \
        -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@" 9>&-; do
        is_locked && [ "$(uptime_s)" -lt "$apt_until_s" ] || return 1
        sleep 1
    done
}

apt_install() {
    apt_get -y --no-install-recommends -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
        install keepalived
}

install_package() {
    case $manager in
    apt)
        [ "$half_done" = no ] || dpkg --configure -a 9>&-
        apt_until_s=$(($(uptime_s) + PACKAGE_LOCK_TIMEOUT_S))
        apt_install || { ! is_locked && apt_get update && apt_install; }
        ;;
    dnf) timeout "$DNF_TIMEOUT_S" dnf -y -q --setopt=install_weak_deps=False install keepalived 9>&- ;;
    zypper) ZYPP_LOCK_TIMEOUT=$PACKAGE_LOCK_TIMEOUT_S zypper --non-interactive --quiet install --no-recommends keepalived 9>&- ;;
    esac
}

# The cause rather than the consequence: who holds the lock, which server does not answer.
last_words() {
    grep -m 1 -e 'Could not get lock' -e 'Could not resolve' -e 'Temporary failure' -e 'Could not connect' \
        -e 'Cannot initiate the connection' -e 'No space left' "$1" ||
        { grep -e '^E: ' -e '^Error' -e 'rror:' "$1" || cat "$1"; } | tail -n 1
}

manager=
for tool in apt-get dnf zypper; do
    command -v "$tool" >/dev/null 2>&1 && { manager=${tool%-get}; break; }
done
half_done=no
[ "$manager" = apt ] && [ -f "$MARKER" ] &&
    [ "$(dpkg-query -W -f '${db:Status-Status}' keepalived 2>/dev/null)" != installed ] && half_done=yes
if [ "$half_done" = no ] && said=$(version); then
    emit version "$said"
    echo end
    exit 0
fi
[ -n "$manager" ] || die "no apt-get, dnf or zypper to install keepalived with"

had_main=no
[ -e "$MAIN" ] && had_main=yes
installed=no
had_package=no
has_package && had_package=yes
had_parent=no
[ -d "${FOLDER%/*}" ] && had_parent=yes
had_marker=no
[ -f "$MARKER" ] && had_marker=yes
trap finish EXIT
trap 'exit 143' TERM INT HUP PIPE
make_folder "${FOLDER%/*}" 022
make_folder "$FOLDER" 027
[ -s "$MARKER" ] || { packages >"$FOLDER/.haos-packages.tmp" && : >"$MARKER" && sync_folder "$MARKER"; } ||
    die "cannot write $MARKER"
rm -f "$NO_MAIN"
[ "$had_main" = yes ] || { : >"$NO_MAIN" && sync_folder "$NO_MAIN"; } || die "cannot write $NO_MAIN"
# Debian's package starts keepalived where there is something to start: a keepalived.conf from earlier days.
case $had_main$(systemctl is-enabled keepalived.service 2>/dev/null) in
no* | yesmasked*) ;;
*) : >"$MASKED" && systemctl mask --runtime keepalived.service >/dev/null 2>&1 9>&- ;;
esac
log=$(mktemp "$FOLDER/.haos-log.XXXXXX") || die "cannot make a temporary file"
(umask 022 && install_package) >"$log" 2>&1 || die "$manager did not install keepalived: $(last_words "$log")"
said=$(version) || die "$manager installed keepalived, but it does not run"
installed=yes
note_packages
# Whatever came while the package did, came with it.
if [ "$had_main" = no ] && [ -f "$MAIN" ]; then
    mv "$MAIN" "$SHIPPED"
fi
rm -f "$NO_MAIN"
sync_folder "$FOLDER"
emit version "$said"
echo end
