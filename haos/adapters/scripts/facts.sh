emit hostname "$(uname -n)"
emit os_release "$(cat /etc/os-release 2>/dev/null)"
for tool in apt-get dnf zypper; do
    command -v "$tool" >/dev/null 2>&1 && { emit package_manager "${tool%-get}"; break; }
done
emit systemd "$([ -d /run/systemd/system ] && echo yes || echo no)"
emit addresses "$(ip -j address show)"
command -v keepalived >/dev/null 2>&1 && emit version "$(keepalived --version 2>&1 | head -n 1)"
emit active "$(state)"
emit enabled "$(systemctl is-enabled keepalived.service 2>/dev/null)"
[ -f "$MAIN" ] && emit_file main_config "$MAIN"
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
[ -f "$DROP_IN" ] && emit_file drop_in "$DROP_IN"
[ -f "$RELEASE" ] && emit_file release_script "$RELEASE"
emit markers "$(ls -d "$MARKER" 2>/dev/null)"
echo end
