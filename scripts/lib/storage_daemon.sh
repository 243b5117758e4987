# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A qemu-storage-daemon that tells its front end when a disk was resized (QEMU 8.1 and later): the distribution's where it
# is new enough (Debian 13), otherwise the one from backports, unpacked into the cache.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"

# Sets `storage_daemon` to its path.
provide_storage_daemon() {
  detect_distribution
  storage_daemon=$(command -v qemu-storage-daemon || true)
  [ "$suite" = bookworm ] || return 0
  storage_daemon=$cache/storage-daemon/usr/bin/qemu-storage-daemon
  [ -x "$storage_daemon" ] || locked "$cache/storage-daemon.lock" fetch_storage_daemon
  [ -x "$storage_daemon" ] || die "there is no qemu-storage-daemon: see above"
}

fetch_storage_daemon() {
  [ ! -x "$storage_daemon" ] || return 0
  say "fetching qemu-storage-daemon from backports (unpacked into $cache, not installed)"
  update_apt_root
  local folder
  folder=$(mktemp -d "$cache/storage-daemon.XXXXXX")
  chmod 755 "$folder"
  unpack_packages "$folder" "qemu-utils=$(newest_version qemu-utils 1:10.)"
  rm -rf "$cache/storage-daemon"
  mv "$folder" "$cache/storage-daemon"
}
