# The node is anybody's again, if it is still TURN's.
lock
if has_turn && [ "$turn" = "$TURN" ]; then
    forget_turn
fi
has_pairs || rm -f "$LOCK"
echo end
