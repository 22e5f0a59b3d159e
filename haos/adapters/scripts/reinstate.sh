lock
reinstate_pair
echo end
