# Let a pair's instance count WEIGHT more than its priority says, or less; 0 takes the file away, which counts as 0.
# keepalived watches the file by inotify. Where it could not (root's limit of inotify instances was reached), a reload
# makes it read the file.
lock_if_wanted
conf=$FOLDER/$PAIR.conf
file=$FOLDER/$PAIR.weight

# effective_priority INSTANCE: what keepalived goes by.
effective_priority() {
    text=$(dump JSON keepalived.json 20) || return
    printf '%s' "$text" | tr '{,' '\n\n' | awk -v want="\"$1\"" '
        { gsub(/[[:space:]]/, "") }
        /^"iname":/ { mine = substr($0, 9) == want }
        mine && /^"effective_priority":/ { print substr($0, 22) + 0; exit }'
}

wanted_priority() {
    own=$(sed -n 's/^    priority \([0-9]*\)$/\1/p' "$conf")
    sum=$((own + WEIGHT))
    [ "$sum" -le 254 ] || sum=254
    [ "$sum" -ge 1 ] || sum=1
    echo "$sum"
}

is_weighed() {
    keepalived --signum=JSON >/dev/null 2>&1 || return 0 # it was built without: it cannot be asked
    [ "$(effective_priority "haos_$PAIR")" = "$(wanted_priority)" ]
}

if [ "$WEIGHT" != 0 ]; then
    [ -f "$conf" ] || die "pair $PAIR is not on this node"
    grep -q '^vrrp_track_file ' "$conf" || die "the file of pair $PAIR is of an older haos, and knows no weight"
    is_settled || die "keepalived does not run"
    temp=$FOLDER/.haos-$PAIR.weight.tmp
    echo "$WEIGHT" >"$temp" && sync_folder "$temp" && mv -f "$temp" "$file" || die "cannot write $file"
else
    rm -f "$file" || die "cannot remove $file"
fi
sync_folder "$FOLDER"
if [ -f "$conf" ] && is_settled && ! wait_until 2 is_weighed; then
    reload
    wait_until 5 is_weighed || die "keepalived does not heed the weight of pair $PAIR: $(why_not)"
fi
echo end
