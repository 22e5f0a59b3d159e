#!/bin/sh
# Turn a fresh Debian tree into the lab's base image: customize.sh ROOT RECIPE
set -eu
root=$1 recipe=$2

# keepalived and all that it needs, downloaded and not installed: a repository that needs no network.
repository=$root/opt/haos-apt
chroot "$root" apt-get clean
chroot "$root" apt-get -qq -y --download-only install keepalived >/dev/null
mkdir -p "$repository"
mv "$root"/var/cache/apt/archives/*.deb "$repository"
chroot "$root" sh -eu -c '
    cd /opt/haos-apt
    for deb in *.deb; do
        dpkg-deb --field "$deb"
        printf "Filename: ./%s\nSize: %s\nSHA256: %s\n\n" "$deb" "$(stat -c %s "$deb")" "$(sha256sum "$deb" | cut -d" " -f1)"
    done >Packages'
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
echo 'deb [trusted=yes] file:/opt/haos-apt ./' >"$root/etc/apt/sources.list"

# The login user of Debian's cloud images.
chroot "$root" useradd --create-home --shell /bin/bash --groups sudo,adm,systemd-journal debian
echo 'debian ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/90-cloud-init-users"
chmod 440 "$root/etc/sudoers.d/90-cloud-init-users"

# What every instance gets of its own on its first boot.
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/resolv.conf" "$root/etc/hostname"
: >"$root/etc/machine-id"

printf 'UseDNS no\nPasswordAuthentication no\n' >"$root/etc/ssh/sshd_config.d/cloud.conf"
mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\nSystemMaxUse=64M\n' >"$root/etc/systemd/journald.conf.d/cloud.conf"
install -m 755 "$recipe/show-host-keys" "$root/usr/local/sbin/show-host-keys"
install -m 644 "$recipe/show-host-keys.service" "$root/etc/systemd/system/show-host-keys.service"
ln -s ../show-host-keys.service "$root/etc/systemd/system/multi-user.target.wants/show-host-keys.service"

# Units that need a kernel, devices or a network of the machine's own.
while read -r unit; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done <"$recipe/masked-units"

# Generators that look for disks, consoles and a boot loader: systemd runs them all at every reload.
mkdir -p "$root/etc/systemd/system-generators"
while read -r generator; do
    ln -sf /dev/null "$root/etc/systemd/system-generators/$generator"
done <"$recipe/masked-generators"
