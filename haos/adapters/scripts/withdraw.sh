# Give up one pair: its file moves aside, keepalived reloads, says goodbye with priority 0 and drops the VIP.
# Measured (2.2.7): with no instance left the daemon and its VRRP process stay, and take it up again later.
lock
conf=$FOLDER/$PAIR.conf
if [ -f "$conf" ]; then
    mv "$conf" "$conf.withdrawn" || die "cannot move $conf aside"
    sync_folder "$FOLDER"
elif [ ! -f "$conf.withdrawn" ]; then
    die "pair $PAIR is not on this node"
fi
reload
wait_until 10 is_gone "$PAIR" || die "keepalived still runs haos_$PAIR: $(why_not)"
did() { :; }
release_links "$(vmac_links "$conf.withdrawn")"
echo end
