# Stop writing down; what was written goes with it.
stop_units "$WATCH_UNIT.service"
rm -f "$RUN"/watch*
is_under_way || rm -f "$STAMPS"
rmdir "$RUN" 2>/dev/null
echo end
