# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Catch2 v3 for the unit tests: the distribution's package where it is new enough (Debian 13), otherwise the one from
# backports, unpacked into the cache.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"
# shellcheck source=scripts/lib/packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"

# Makes `dependency('catch2-with-main', version: '>=3')` of meson work, by PKG_CONFIG_PATH if need be.
provide_catch2() {
  local pc=$cache/catch2/usr/share/pkgconfig
  if pkg-config --atleast-version=3 catch2-with-main 2>/dev/null; then return; fi
  if [ "$suite" = bookworm ]; then
    [ -d "$cache/catch2" ] || locked "$cache/catch2.lock" fetch_catch2
    export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  else
    install_packages catch2
  fi
  pkg-config --atleast-version=3 catch2-with-main || die "Catch2 v3 is not usable: pkg-config does not find it"
}

fetch_catch2() {
  [ ! -d "$cache/catch2" ] || return 0
  say "fetching Catch2 v3 from backports (unpacked into $cache, not installed)"
  update_apt_root
  local folder
  folder=$(mktemp -d "$cache/catch2.XXXXXX")
  chmod 755 "$folder"
  unpack_packages "$folder" "libcatch2-dev=$(newest_version libcatch2-dev 3.)"
  sed -i "s,=/usr,=$cache/catch2/usr," "$folder"/usr/share/pkgconfig/*.pc
  mv "$folder" "$cache/catch2"
}
