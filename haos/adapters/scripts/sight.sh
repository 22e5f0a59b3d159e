# The node's own view of one pair. Takes no lock: it changes nothing, and must answer while another step waits.
configured=no
[ -f "$FOLDER/$PAIR.conf" ] && configured=yes
tries=40
has_active_pairs || tries=6
process=
if pid=$(main_pid); then
    process=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
fi
emit active "$(state)"
emit process "$process"
emit configured "$configured"
emit holders "$(ip -o address show to "$VIP")"
if is_settled; then
    if keepalived --signum=JSON >/dev/null 2>&1; then
        text=$(dump JSON keepalived.json "$tries") && emit json "$text"
    else
        text=$(dump DATA keepalived.data "$tries") && emit text "$text"
    fi
fi
echo end
