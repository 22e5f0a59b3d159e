# Give up one pair: its file moves aside, keepalived reloads, says goodbye with priority 0 and drops the VIP.
# Measured (2.2.7): with no instance left the daemon and its VRRP process stay, and take it up again later.
lock
file=$FOLDER/$PAIR.conf
if [ -f "$file" ]; then
    mv "$file" "$file.withdrawn" || die "cannot move $file aside"
    sync_folder "$FOLDER"
elif [ ! -f "$file.withdrawn" ]; then
    die "pair $PAIR is not on this node"
fi
reload
wait_until 10 is_gone "$PAIR" || die "keepalived still runs haos_$PAIR: $(why_not)"
echo end
