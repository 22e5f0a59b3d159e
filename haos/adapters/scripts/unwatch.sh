# Stop writing down; what was written goes with it.
watched=no
is_watching && watched=yes
stop_units "$WATCH_UNIT.service"
rm -f "$RUN"/watch*
is_under_way || rm -f "$STAMPS"
rmdir "$RUN" 2>/dev/null
emit watched "$watched"
echo end
