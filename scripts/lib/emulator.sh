# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The emulator of the virtual machines: QEMU 8.1 or newer. Older ones translate a page without holding it, so that a
# kernel that rewrites its own code (static branches, tracepoints) while another processor runs there now and then
# panicked, or lost a processor that slept on with threads ready to run. Debian 12's is older: the one from backports
# is unpacked into the cache and not installed.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"

# Makes qemu-system-x86_64 the right one, by PATH if need be.
provide_emulator() {
  [ "$suite" = bookworm ] || return 0
  [ -d "$cache/qemu" ] || locked "$cache/qemu.lock" fetch_emulator
  case :$PATH: in *:"$cache/qemu/usr/bin":*) ;; *) export PATH=$cache/qemu/usr/bin:$PATH ;; esac
}

fetch_emulator() {
  [ ! -d "$cache/qemu" ] || return 0
  say "fetching QEMU from backports (unpacked into $cache, not installed)"
  update_apt_root
  local folder version
  version=$(newest_version qemu-system-x86 1:10.)
  folder=$(mktemp -d "$cache/qemu.XXXXXX")
  chmod 755 "$folder"
  unpack_packages "$folder" "qemu-system-x86=$version" "qemu-system-common=$version" "qemu-system-data=$version" \
    "seabios=$(newest_version seabios 1.16.3)"
  "$folder/usr/bin/qemu-system-x86_64" --version >/dev/null || die "QEMU $version does not start"
  mv "$folder" "$cache/qemu"
}
