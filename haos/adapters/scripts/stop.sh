lock
timeout 30 systemctl stop keepalived.service 9>&- || die "keepalived did not stop: $(why_not)"
case $(state) in
active | reloading | deactivating) die "keepalived still runs" ;;
esac
echo end
