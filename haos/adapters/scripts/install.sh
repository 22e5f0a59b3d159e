# Install keepalived; print its version. The marker is there before the package: a run that was killed in between is
# completed, and undone, as what it is.
lock
version() {
    command -v keepalived >/dev/null 2>&1 && keepalived --version 2>&1 | head -n 1
}

finish() {
    [ "$had_main" = no ] || systemctl unmask --runtime keepalived.service >/dev/null 2>&1 9>&-
    rm -f "$FOLDER"/.haos-packages.tmp "${log:-}"
    if [ "$installed" = no ] && [ "$had_marker" = no ]; then
        rm -f "$MARKER"
        rmdir "$FOLDER" 2>/dev/null
        [ "$had_parent" = yes ] || rmdir "${FOLDER%/*}" 2>/dev/null
    fi
}

packages() {
    case $manager in
    apt) dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p' ;;
    *) rpm -qa --qf '%{NAME}.%{ARCH}\n' ;;
    esac | LC_ALL=C sort -u
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install keepalived 9>&-
}

install_package() {
    case $manager in
    apt)
        [ "$half_done" = no ] || dpkg --configure -a 9>&-
        apt_install || {
            apt-get -q -o DPkg::Lock::Timeout=120 update 9>&- && apt_install
        }
        ;;
    dnf) dnf -y -q --setopt=install_weak_deps=False install keepalived 9>&- ;;
    zypper) zypper --non-interactive --quiet install --no-recommends keepalived 9>&- ;;
    esac
}

last_words() {
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
had_parent=no
[ -d "${FOLDER%/*}" ] && had_parent=yes
had_marker=no
[ -f "$MARKER" ] && had_marker=yes
trap finish EXIT
trap 'exit 143' TERM INT HUP PIPE
(umask 022 && mkdir -p "$FOLDER") && chmod 0750 "$FOLDER" || die "cannot make $FOLDER"
[ -s "$MARKER" ] || { packages >"$FOLDER/.haos-packages.tmp" && : >"$MARKER" && sync_folder "$MARKER"; } ||
    die "cannot write $MARKER"
# Debian's package starts keepalived where there is something to start: a keepalived.conf from earlier days.
[ "$had_main" = no ] || systemctl mask --runtime keepalived.service >/dev/null 2>&1 9>&-
log=$(mktemp) || die "cannot make a temporary file"
(umask 022 && install_package) >"$log" 2>&1 || die "$manager did not install keepalived: $(last_words "$log")"
said=$(version) || die "$manager installed keepalived, but it does not run"
installed=yes
if [ -f "$FOLDER/.haos-packages.tmp" ]; then
    packages | LC_ALL=C comm -13 "$FOLDER/.haos-packages.tmp" - >"$MARKER"
fi
# Some distributions ship an example as keepalived.conf, with VIPs of its own.
if [ "$had_main" = no ] && [ -f "$MAIN" ]; then
    mv "$MAIN" "$SHIPPED"
fi
sync_folder "$FOLDER"
emit version "$said"
echo end
