# Take the pair up again where withdraw.sh gave it up.
lock
file=$FOLDER/$PAIR.conf
if [ -f "$file.withdrawn" ]; then
    mv "$file.withdrawn" "$file" || die "cannot move $file back"
    sync_folder "$FOLDER"
elif [ ! -f "$file" ]; then
    die "pair $PAIR is not on this node"
fi
case $(state) in
inactive) ;; # somebody stopped it, and did not want it back
failed) start && await_running ;;
*) reload && await_running ;;
esac
echo end
