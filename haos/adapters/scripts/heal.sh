# End the fault that is there, if one is: the text that the fault came with knows how, and takes the lock.
healed=no
if is_under_way; then
    sh "$HEALER" || exit 9
    healed=yes
fi
emit healed "$healed"
echo end
