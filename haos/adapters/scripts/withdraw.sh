lock
withdraw_pair
echo end
