#!/usr/bin/env bash
# Installs the Debian package on this machine as root, uses both services as systemd would start them, upgrades, removes
# and purges. In CI only, since it changes the machine.
#
#   tests/deb.sh    packages SGSEND_BIN, or a debug build of this tree
#
# No systemd runs in most containers, so the units are verified by systemd-analyze, and their commands are started with
# their settings and user by this script.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
script=deb.sh
# shellcheck source=tests/install.sh
. "$root/tests/install.sh"

if [ "${CI:-}" != true ] || [ "$(id -u)" != 0 ]; then fail "changes this machine: needs CI=true and root"; fi
if dpkg-query -W -f '${Status}' sgsend 2>/dev/null | grep -q installed; then fail "sgsend is installed on this machine"; fi
need_packages systemd-analyze:systemd
sgsend=$(binary_to_test)
# Compressing a debug binary takes half a minute.
export DEB_COMPRESSION=none
folder=$(mktemp -d)
processes=()
clean_up() {
  local process
  for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; wait "$process" 2>/dev/null || true; done
  dpkg --purge sgsend >/dev/null 2>&1 || true
  userdel sgsend 2>/dev/null || true
  rm -rf /var/lib/sgsend "$folder"
}
trap clean_up EXIT

# is ACTUAL EXPECTED: fails unless both are equal.
is() { if [ "$1" != "$2" ]; then fail "line ${BASH_LINENO[0]}: '$1' instead of '$2'"; fi; }

say "== The same input gives the same package"
mkdir "$folder/old" "$folder/new" "$folder/again"
old=$(DEB_VERSION=0.0.9 "$root/packaging/deb.sh" "$sgsend" "$folder/old")
new=$("$root/packaging/deb.sh" "$sgsend" "$folder/new")
cmp "$new" "$("$root/packaging/deb.sh" "$sgsend" "$folder/again")"
version=$(dpkg-deb -f "$new" Version)

say "== Installation of 0.0.9"
dpkg --install "$old" >/dev/null
is "$(stat -c '%a %U:%G' /etc/sgsend/admin-key)" "640 root:sgsend"
is "$(stat -c '%a %U:%G' /var/lib/sgsend)" "700 sgsend:sgsend"
is "$(wc -c </etc/sgsend/admin-key)" 64
key=$(cat /etc/sgsend/admin-key)
for file in usr/share/man/man1/sgsend-upload.1.gz usr/share/bash-completion/completions/sgsend; do test -s "/$file"; done
for unit in public.service public.socket admin.service admin.socket sweep.service sweep.timer; do
  systemd-analyze verify --man=no "/lib/systemd/system/sgsend-$unit"
done
# An operator's settings: free ports.
sed -i 's/^SGSEND_LISTEN=.*/SGSEND_LISTEN=127.0.0.1:0/' /etc/sgsend/public.conf /etc/sgsend/admin.conf

# unit NAME: starts the command of a unit with its settings, as its user, and sets $url.
unit() {
  local name=$1 log=$folder/$1.log settings=() _
  mapfile -t settings < <(sed -n 's/^EnvironmentFile=//p' "/lib/systemd/system/sgsend-$name.service" | xargs grep -hv '^\(#\|$\)')
  read -ra command < <(sed -n 's/^ExecStart=//p' "/lib/systemd/system/sgsend-$name.service")
  # The time is part of the wait: a line of an earlier start must not be found.
  : >"$log"
  setpriv --reuid sgsend --regid sgsend --clear-groups --no-new-privs \
    env -i PATH=/usr/bin:/bin "${settings[@]}" "${command[@]}" 2>"$log" &
  processes+=($!)
  for _ in $(seq 300); do
    url=$(sed -n 's/.*"message":"listening".*"url":"\([^"]*\)".*/\1/p' "$log")
    if [ -n "$url" ]; then return; fi
    sleep 0.1
  done
  cat "$log" >&2
  fail "the unit $name did not start"
}
# start: starts both units, and sets $public and $admin.
start() { unit public; public=$url; unit admin; admin=$url; }
# stop: stops both units; each must end well.
stop() {
  local process
  for process in "${processes[@]}"; do kill "$process"; wait "$process"; done
  processes=()
}

say "== Transfers"
use_temporary_home "$folder/home"
unset SGSEND_ADMIN_KEY_FILE
start
command=(sgsend --admin-server "$admin" --admin-key-file /etc/sgsend/admin-key token create press --json)
token=$("${command[@]}" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
printf 'kept over the upgrade' >"$folder/content"
(umask 077 && printf %s "$token" >"$folder/token")
link=$(sgsend --server "$public" --token-file "$folder/token" upload "$folder/content")
id=$(sed 's|.*/d/\([0-9a-f]*\)#.*|\1|' <<<"$link") key_of_link=${link#*#}
download() { sgsend --server "$public" download "$public/d/$id#$key_of_link" -o - ; }
is "$(download)" "kept over the upgrade"
stop
is "$(stat -c '%U' /var/lib/sgsend/store)" sgsend
# The timer's command works while no service runs.
mapfile -t shared < <(grep -hv '^\(#\|$\)' /etc/sgsend/sgsend.conf)
setpriv --reuid sgsend --regid sgsend --clear-groups env -i "${shared[@]}" /usr/bin/sgsend sweep

say "== Upgrade to $version"
dpkg --install "$new" >/dev/null
is "$(dpkg-query -W -f '${Version}' sgsend)" "$version"
is "$(cat /etc/sgsend/admin-key)" "$key"
grep -qx 'SGSEND_LISTEN=127.0.0.1:0' /etc/sgsend/public.conf
start
is "$(download)" "kept over the upgrade"
stop

say "== Removal and purge"
dpkg --remove sgsend >/dev/null
if command -v sgsend >/dev/null; then fail "the command is still there"; fi
grep -qx 'SGSEND_LISTEN=127.0.0.1:0' /etc/sgsend/public.conf
dpkg --purge sgsend | grep -q "/var/lib/sgsend/store are still there"
if [ -e /etc/sgsend ]; then fail "the configuration is still there"; fi
test -d /var/lib/sgsend/store
say "== The package was installed, used, upgraded, removed and purged"
