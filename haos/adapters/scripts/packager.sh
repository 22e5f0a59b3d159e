# Who works with packages, so that another step has to wait for it: nothing is changed, no lock is taken.
emit_packager
echo end
