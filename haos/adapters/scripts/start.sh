lock
has_active_pairs || die "no pair's file is in place: keepalived would have nothing to run"
is_settled || start
await_running
echo end
