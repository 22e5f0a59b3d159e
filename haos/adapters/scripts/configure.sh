# Put a pair's files in place. All is uploaded beside its place and tested as a whole before the first file moves; up
# to then nothing has changed, whatever fails. Starts nothing.
lock_if_wanted
made=
temps=
unit_was_new=
test_main=/etc/keepalived/.haos-test.conf.tmp
test_folder=$FOLDER/.haos-test.tmp

finish() {
    rm -f $temps "$test_main"
    rm -rf "$test_folder"
    has_pairs || rm -f "$SYSCTLS" "$PENDING" ${unit_was_new:+"$UNIT_WAS"}
    # Only folders that are still empty go; on success they are not.
    for folder in $made; do
        rmdir "$folder" 2>/dev/null
    done
}
trap finish EXIT
trap 'exit 143' TERM INT HUP PIPE

make_place() {
    [ -d "$1" ] && return
    make_folder "$1" "$2"
    made="$1 $made"
}

# temp_of PATH: a name beside its place that neither keepalived nor systemd reads; where its folder is still to come,
# beside its place in there.
temp_of() {
    place=${1%/*}
    [ -d "$place" ] || place=$(aside "$place")
    echo "$place/.haos-${1##*/}.tmp"
}

# upload PATH MODE BASE64 BYTES
upload() {
    temp=$(temp_of "$1")
    temps="$temps $temp"
    rm -f "$temp"
    printf '%s' "$3" | base64 -d >"$temp" && [ "$(wc -c <"$temp")" -eq "$4" ] ||
        die "cannot write $temp: is the disk full?"
    chmod "$2" "$temp" && chown root:root "$temp" && sync_folder "$temp" || die "cannot prepare $temp"
}

upload_all() {
    # First of all: by haos's own folder a removal knows that there is something to look for.
    make_place "${FOLDER%/*}" 022
    make_place "$FOLDER" 027
    chmod 750 "$FOLDER" && chown root:root "$FOLDER" || die "cannot prepare $FOLDER"
    index=0
    while [ "$index" -lt "$FILE_COUNT" ]; do
        eval "path=\$FILE_${index}_PATH mode=\$FILE_${index}_MODE data=\$FILE_${index}_DATA bytes=\$FILE_${index}_BYTES"
        case $path in
        /etc/keepalived/*) ;;
        *) [ -d "${path%/*}" ] || make_place "$(aside "${path%/*}")" 022 ;;
        esac
        upload "$path" "$mode" "$data" "$bytes"
        index=$((index + 1))
    done
}

# A keepalived.conf that is not ours gets one line; if its last line has no end, neither has ours, so that taking
# the line away gives back the same bytes.
include_in_foreign() {
    [ -f "$MAIN" ] || die "keepalived.conf has vanished since haos looked: run it again"
    grep -qxF "$INCLUDE_LINE" "$MAIN" && return
    main=$(readlink -f "$MAIN")
    temp=$(temp_of "$main")
    temps="$temps $temp"
    cp -a "$main" "$temp" || die "cannot copy $main"
    if [ -s "$main" ] && [ -n "$(tail -c 1 "$main")" ]; then
        printf '\n%s' "$INCLUDE_LINE" >>"$temp"
    else
        printf '%s\n' "$INCLUDE_LINE" >>"$temp"
    fi || die "cannot write $temp: is the disk full?"
    sync_folder "$temp"
    foreign=$main
}

# The future configuration, whole: keepalived.conf as it will be, its include led to a folder with the new file.
build_test() {
    rm -rf "$test_folder"
    mkdir "$test_folder" || die "cannot make $test_folder"
    for file in "$FOLDER"/*.conf; do
        [ -f "$file" ] && cp "$file" "$test_folder/"
    done
    escaped=$(printf '%s' "$PAIR" | sed 's/[.]/\\./g')
    sed "s|$FOLDER/$escaped\.check-|$test_folder/$PAIR.check-|" "$(temp_of "$FOLDER/$PAIR.conf")" \
        >"$test_folder/$PAIR.conf" || die "cannot build the configuration to test"
    for file in "$FOLDER/.haos-$PAIR".check-*.tmp; do
        [ -f "$file" ] || continue
        name=${file##*/.haos-}
        cp -p "$file" "$test_folder/${name%.tmp}" || die "cannot build the configuration to test"
    done
    future=$MAIN
    for file in "$(temp_of "$MAIN")" ${foreign:+"$(temp_of "$foreign")"}; do
        [ -f "$file" ] && future=$file
    done
    while IFS= read -r line || [ -n "$line" ]; do
        [ "$line" = "$INCLUDE" ] && line="include $test_folder/*.conf"
        printf '%s\n' "$line"
    done <"$future" >"$test_main" && [ -s "$test_main" ] || die "cannot build the configuration to test"
}

# config_test FILE: what keepalived says of it, in the names of the files as they will be; ends with its exit code.
config_test() {
    said=$(keepalived --config-test -f "$1" 2>&1)
    code=$?
    printf '%s\n' "$said" | sed "s|$test_main|$MAIN|g; s|$test_folder/|$FOLDER/|g"
    return "$code"
}

# Others' messages are others' affair (files in the howto's style fail the test, and run): only new ones count.
compare_tests() {
    before=
    rc_before=0
    if [ -s "$MAIN" ]; then
        before=$(config_test "$MAIN")
        rc_before=$?
    fi
    after=$(config_test "$test_main")
    rc_after=$?
    [ "$rc_after" -eq 0 ] && return
    new=$(printf '%s\n' "$after" | grep -vxF "${before:-haos: no message}" | sed '/^$/d')
    [ -z "$new" ] && [ "$rc_before" -ne 0 ] && return
    die "keepalived refuses the configuration: $(printf '%s' "${new:-exit code $rc_after}" | tr '\n' ';')"
}

has_address() {
    ip -o address show ${2:+dev "$2"} | sed -n 's/.* inet6\{0,1\} \([^ /]*\).*/\1/p' | grep -qxF "$1"
}

check_addresses() {
    has_address "$SOURCE" "$INTERFACE" || die "$SOURCE is not an address of $INTERFACE on this node"
    for peer in $PEERS; do
        if has_address "$peer" ''; then
            die "the peer $peer is this node itself"
        fi
    done
}

check_vrid() {
    other=$(config_files | while IFS= read -r file; do
        [ "${file%.withdrawn}" = "$FOLDER/$PAIR.conf" ] || cat "$file"
        echo
    done | awk -v want="$VRID" -v device="$INTERFACE" -v version="$VERSION" '
        function flush() {
            if (name != "" && vrid == want && dev == device && fam == version) print name
            name = ""
        }
        { sub(/[#!].*/, ""); gsub(/["{}]/, " ") }
        $1 == "vrrp_instance" { flush(); name = $2; dev = ""; vrid = ""; fam = 4; next }
        /^(global_defs|virtual_server|vrrp_script|vrrp_sync_group)/ { flush() }
        $1 == "interface" { dev = $2 }
        $1 == "virtual_router_id" { vrid = $2 + 0 }
        { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*(\/[0-9]+)?$/) fam = 6 }
        END { flush() }' | head -n 1)
    [ -z "$other" ] || die "VRID $VRID is used on $INTERFACE by another instance of this node, $other"
}

# Remember that keepalived has to be told, until it has been: this run may be killed before.
pend() {
    [ -e "$PENDING" ] || : >"$PENDING" || die "cannot write $PENDING"
}

# replace PATH: move the uploaded file into its place, if it differs from what is there.
replace() {
    temp=$(temp_of "$1")
    if cmp -s "$temp" "$1" && [ "$(stat -c '%a %u %g' "$temp")" = "$(stat -c '%a %u %g' "$1")" ]; then
        return
    fi
    pend
    if [ -d "${1%/*}" ]; then
        mv -f "$temp" "$1" || die "cannot replace $1"
    else
        place=$(aside "${1%/*}")
        mv -f "$temp" "$place/${1##*/}" && sync_folder "$place" && mv -T "$place" "${1%/*}" || die "cannot put $1 there"
        sync_folder "$(dirname "${1%/*}")"
    fi
    sync_folder "${1%/*}"
    command -v restorecon >/dev/null 2>&1 && restorecon -F "$1" >/dev/null 2>&1
    changed=yes
    [ "$1" = "$DROP_IN" ] && systemctl daemon-reload 9>&-
}

command -v keepalived >/dev/null 2>&1 || die "keepalived is not installed"
end_fault || die "the fault $(cat "$RUN/fault") is under way on this node, and could not be undone"
foreign=
sweep
put_example_aside
upload_all
if [ -f "$(temp_of "$MAIN")" ] && [ -f "$MAIN" ] && ! main_is_ours; then
    die "a keepalived.conf that is not haos's has appeared: run it again"
fi
[ -z "$INCLUDE_LINE" ] || include_in_foreign
check_addresses
check_vrid
build_test
compare_tests
if ! has_pairs && [ ! -e "$UNIT_WAS" ]; then
    unit_was_new=yes
    printf '%s %s\n' "$(systemctl is-enabled keepalived.service 2>/dev/null)" "$(state)" >"$UNIT_WAS" ||
        die "cannot write $UNIT_WAS"
fi
[ -z "$VMAC" ] || save_sysctls "$INTERFACE"

changed=no
index=0
while [ "$index" -lt "$FILE_COUNT" ]; do
    eval "replace \"\$FILE_${index}_PATH\""
    index=$((index + 1))
done
rm -f "$WITHDREW$PAIR"
if [ -f "$FOLDER/$PAIR.conf.withdrawn" ]; then
    pend
    rm -f "$FOLDER/$PAIR.conf.withdrawn"
    changed=yes
fi
if [ -n "$foreign" ]; then
    pend
    mv -f "$(temp_of "$foreign")" "$foreign" || die "cannot replace $foreign"
    sync_folder "${foreign%/*}"
    command -v restorecon >/dev/null 2>&1 && restorecon "$foreign" >/dev/null 2>&1
    changed=yes
fi
emit changed "$changed"
echo end
