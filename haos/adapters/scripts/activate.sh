# Enable keepalived and let it run what lies there: reloaded where it runs, so that no other instance is disturbed.
lock_if_wanted
has_active_pairs || die "no pair's file is in place: keepalived would have nothing to run"
# Enabling what is enabled takes most of a second where a package has a SysV script as well (Debian).
[ "$(systemctl is-enabled keepalived.service 2>/dev/null)" = enabled ] ||
    systemctl enable --quiet keepalived.service 2>/dev/null 9>&- || systemctl enable keepalived.service 9>&- >&2 ||
    die "keepalived could not be enabled"
# A run that was killed may have put the drop-in there without a word to systemd.
[ "$(systemctl show -p NeedDaemonReload --value keepalived.service 2>/dev/null)" != yes ] || systemctl daemon-reload 9>&-
case $(state) in
active | reloading) reload ;;
*) start ;;
esac
await_running
rm -f "$PENDING"
sweep_checks
echo end
