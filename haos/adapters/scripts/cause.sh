# The fault itself: run under the lock of whoever ordered it, or later, by a unit of its own, under a lock of its own.
if [ "$DELAY_S" != 0 ]; then
    sleep "$DELAY_S"
    lock
    is_under_way || exit 0 # ended before it came
fi
stamp injected
if ! (eval "$INJECT"); then
    sh "$HEALER" locked
    exit 9
fi
