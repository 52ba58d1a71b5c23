#!/bin/sh
# Makes the system part of the image in the folder $1, which is new: the packages of packages.txt, unpacked. No script of a package runs, and there is
# no shell in it. The Dockerfile runs this in a container of Debian, and `npm run image` with an apt of its own ($APT_CONFIG).
set -eu
root=$1
packages=$(sed 's/#.*//' "$(dirname "$0")/packages.txt")
archives=$(mktemp -d)
trap 'rm -rf "$archives"' EXIT

for folder in bin lib lib64 sbin; do
  mkdir -p "$root/usr/$folder"
  ln -s "usr/$folder" "$root/$folder"
done
# scanners look here for what is installed without dpkg
mkdir -p "$root/etc" "$root/var/lib/dpkg/status.d"
# shellcheck disable=SC2086 # a list
(cd "$archives" && apt-get -qq download $packages)
for archive in "$archives"/*.deb; do
  dpkg-deb --extract "$archive" "$root"
  dpkg-deb --field "$archive" > "$root/var/lib/dpkg/status.d/$(dpkg-deb --field "$archive" Package)"
done

# configuration of services that are not here, and what only people read; licences stay
find "$root/etc" -mindepth 1 ! -name os-release ! -name debian_version -delete
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share" -mindepth 1 -maxdepth 1 ! -name doc -exec rm -rf {} +
find "$root/usr/lib" -depth -type d \( -name gconv -o -name systemd -o -name tmpfiles.d -o -name sysusers.d \) -exec rm -rf {} +
rm -f "$root/usr/sbin/halog"
rm -rf "$root/var/lib/haproxy" "$root/usr/games" "$root/usr/include" "$root/usr/src"
rmdir "$root/home" "$root/root" "$root/mnt" "$root/srv" "$root/opt" "$root/media" 2> /dev/null || true

printf 'root:x:0:0:root:/:/sbin/nologin\nnuptse:x:65532:65532:nuptse:/:/sbin/nologin\n' > "$root/etc/passwd"
printf 'root:x:0:\nnuptse:x:65532:\n' > "$root/etc/group"
mkdir -p "$root/tmp" "$root/run" "$root/proc" "$root/sys" "$root/dev"
chmod 1777 "$root/tmp"
