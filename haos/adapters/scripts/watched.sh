# What was written down so far. Takes no lock: it changes nothing.
whole=no
[ -s "$RUN/watch.began" ] && [ ! -s "$RUN/watch.errors" ] && is_watching && whole=yes
emit began "$(cat "$RUN/watch.began" 2>/dev/null)"
emit log "$(cat "$RUN/watch.log" 2>/dev/null)"
emit stamps "$(cat "$STAMPS" 2>/dev/null)"
emit whole "$whole"
# The kernel's own name of its start, and, where process 1 is not the kernel's first, when that was started.
emit boot "$(cat /proc/sys/kernel/random/boot_id) $(sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 20)"
emit now "$(wall_s)"
echo end
