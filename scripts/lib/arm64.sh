# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The headers of Debian's arm64 kernel, for building the module on another machine: the programs among them (kbuild) are
# of this machine's architecture.
#
# cache/kernels/arm64-6.12 -> 6.12.x-arm64/   usr/src/linux-headers-* (usable as a kernel build folder)

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/kernels.sh"

# arm64_headers 6.12|6.1: prints the kernel build folder, fetching it first if need be.
arm64_headers() {
  case $1 in
    6.1 | 6.12) ;;
    *) die "--arch arm64 --kernel $1: expected 6.12 or 6.1" ;;
  esac
  [ -e "$cache/kernels/arm64-$1" ] || locked "$cache/kernels.lock" fetch_arm64_headers "$1" >&2
  [ -e "$cache/kernels/arm64-$1" ] || die "there are no arm64 headers of kernel $1: see above"
  echo "$(readlink -f "$cache/kernels/arm64-$1")"/usr/src/linux-headers-*-arm64
}

# fetch_arm64_headers LINE: under the lock; somebody else may have fetched them while we waited. In a subshell, with an apt
# root of its own: nobody else needs the lists of two architectures.
fetch_arm64_headers() (
  [ ! -e "$cache/kernels/arm64-$1" ] || exit 0
  local own version headers common tools folder name
  own=$(dpkg --print-architecture)
  apt_root=$cache/apt-arm64 apt_root_updated='' apt_root_architectures=("$own" arm64)
  detect_distribution
  install_packages "${kernel_packages[@]}" "${fetch_packages[@]}"
  say "fetching the headers of Debian's arm64 kernel $1 (about 20 MB, once)"
  update_apt_root
  version=$(newest_version linux-headers-arm64:arm64 "$1.")
  headers=$(dependencies linux-headers-arm64:arm64 "$version" | grep '^linux-headers-')
  common=$(dependencies "$headers:arm64" "$version" | grep -E '^linux-headers-.*-common$')
  tools=$(dependencies "$headers:arm64" "$version" | grep '^linux-kbuild-')
  name=${headers#linux-headers-}
  folder=$(mktemp -d "$cache/kernels/unpacking.XXXXXX")
  chmod 755 "$folder"
  unpack_packages "$folder" "$headers:arm64=$version" "$common:$own" "$tools:$own"
  make_headers_relocatable "$folder/usr/src/$headers"
  rm -rf "$cache/kernels/${name:?}"
  mv "$folder" "$cache/kernels/$name"
  ln -sfn "$name" "$cache/kernels/arm64-$1"
  note "the headers of $name ($version) are in $cache/kernels"
)
