# End the fault that is there, if one is: the text that the fault came with knows how, and takes the lock.
healed=no
if is_under_way; then
    sh "$HEALER" || exit 9
    healed=yes
fi
# A restart took the timer of a withdrawal, and its healer, but not the withdrawal.
for mark in "$WITHDREW"*; do
    [ -e "$mark" ] || continue
    lock
    is_under_way && break # another's, made just now
    PAIR=${mark#"$WITHDREW"}
    reinstate_pair
    healed=yes
done
emit healed "$healed"
echo end
