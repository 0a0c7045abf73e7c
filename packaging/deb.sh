#!/usr/bin/env bash
# Builds a Debian package from a binary: services, timer, configuration, man pages and completions.
#
#   packaging/deb.sh BINARY [FOLDER]    writes FOLDER/sgsend_VERSION_ARCHITECTURE.deb (default: the current folder)
#
# DEB_VERSION sets another version than that of Cargo.toml, DEB_ARCHITECTURE another architecture than that of this machine,
# DEB_COMPRESSION another compression. SOURCE_DATE_EPOCH sets the time of all files (default: the last commit, without git
# the epoch): the same binary, version and time give the same package, byte for byte.
set -euo pipefail
umask 022

root=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -lt 1 ] || [ $# -gt 2 ]; then echo "usage: packaging/deb.sh BINARY [FOLDER]" >&2; exit 2; fi
binary=$(realpath "$1") out=$(realpath "${2:-.}")
version=${DEB_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)}
architecture=${DEB_ARCHITECTURE:-$(dpkg --print-architecture)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

# put MODE SOURCE TARGET: copies a file into the package, and creates its folders.
put() { install -D -m "$1" "$2" "$tree/$3"; }
# packed SOURCE TARGET: does the same with gzip, without name and time.
packed() { mkdir -p "$(dirname "$tree/$2")"; gzip -9n <"$1" >"$tree/$2"; chmod 644 "$tree/$2"; }

put 755 "$binary" usr/bin/sgsend
for unit in "$root"/packaging/systemd/*; do put 644 "$unit" "lib/systemd/system/$(basename "$unit")"; done
for file in "$root"/packaging/config/*; do put 644 "$file" "etc/sgsend/$(basename "$file")"; done
for page in "$root"/man/*.1; do packed "$page" "usr/share/man/man1/$(basename "$page").gz"; done
put 644 "$root/completions/sgsend.bash" usr/share/bash-completion/completions/sgsend
put 644 "$root/completions/_sgsend" usr/share/zsh/vendor-completions/_sgsend
put 644 "$root/completions/sgsend.fish" usr/share/fish/vendor_completions.d/sgsend.fish
put 644 "$root/LICENSE" usr/share/doc/sgsend/copyright
packed "$root/CHANGELOG.md" usr/share/doc/sgsend/changelog.gz
put 644 "$root/packaging/README.Debian" usr/share/doc/sgsend/README.Debian

for script in postinst prerm postrm; do put 755 "$root/packaging/debian/$script" "DEBIAN/$script"; done
(cd "$tree" && find etc -type f | LC_ALL=C sort | sed 's|^|/|') >"$tree/DEBIAN/conffiles"
# A static binary needs no libraries.
depends=passwd
if readelf -lW "$binary" | grep -q INTERP; then depends="libc6 (>= 2.36), libgcc-s1, passwd"; fi
size=$(du -sk --apparent-size --exclude=DEBIAN "$tree" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" \
  "$root/packaging/debian/control.in" >"$tree/DEBIAN/control"
(cd "$tree" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
  >"$tree/DEBIAN/md5sums"
chmod 644 "$tree/DEBIAN/conffiles" "$tree/DEBIAN/control" "$tree/DEBIAN/md5sums"

package=$out/sgsend_${version}_$architecture.deb
dpkg-deb --root-owner-group "-Z${DEB_COMPRESSION:-xz}" --build "$tree" "$package" >/dev/null
echo "$package"
