# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's kernels with their headers, unpacked side by side in the cache, not installed.
#
# cache/kernels/6.12 -> 6.12.x-amd64/   boot/vmlinuz-*, lib/modules/*, usr/src/linux-headers-* (usable as a kernel build folder)
# The debug kernel, built here, has the same folders.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"
# shellcheck source=scripts/lib/packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"
# shellcheck source=scripts/lib/debug_kernel.sh
. "${BASH_SOURCE[0]%/*}/debug_kernel.sh"

kernel_release() { basename "$(echo "$1"/lib/modules/*)"; }
kernel_image() { echo "$1/boot/vmlinuz-$(kernel_release "$1")"; }
kernel_headers() { echo "$1/usr/src/linux-headers-$(kernel_release "$1")"; }

# kernel_has FOLDER OPTION: whether the kernel was built with it.
kernel_has() { grep -qx "$2=y" "$1/boot/config-$(kernel_release "$1")"; }

# is_kernel_usable LINE: one is in the cache, without a fault that the tests run into. Before Debian's 6.1.192 an rng that went
# soon after it had come made the kernel stop somebody else's thread (CVE-2026-45949).
is_kernel_usable() {
  local folder=$cache/kernels/$1 release
  [ -e "$folder" ] || return
  release=$(kernel_release "$folder")
  [ "$1" != 6.1 ] || dpkg --compare-versions "${release%-*}" ge 6.1.0-56
}

# kernel_folder 6.12|6.1|debug|FOLDER: prints the folder of a kernel, fetching or building it first if need be.
kernel_folder() {
  case $1 in
    6.1 | 6.12)
      is_kernel_usable "$1" || locked "$cache/kernels.lock" fetch_kernel "$1" >&2
      is_kernel_usable "$1" || die "there is no kernel $1: see above"
      readlink -f "$cache/kernels/$1"
      ;;
    debug) debug_kernel_folder ;;
    */*)
      [ -d "$1/lib/modules" ] || die "$1 is not an unpacked kernel (no lib/modules in it)"
      readlink -f "$1"
      ;;
    *) die "--kernel $1: expected 6.12, 6.1, debug or the folder of an unpacked kernel" ;;
  esac
}

# fetch_kernel LINE: under the lock; somebody else may have fetched it while we waited.
fetch_kernel() {
  local line=$1 version image headers folder name build_parts
  ! is_kernel_usable "$line" || return 0
  detect_distribution
  install_packages "${kernel_packages[@]}" "${fetch_packages[@]}"
  say "fetching Debian's kernel $line and its headers (about 120 MB, once)"
  update_apt_root
  version=$(newest_version linux-image-amd64 "$line.")
  image=$(dependencies linux-image-amd64 "$version" | grep '^linux-image-')
  headers=$(dependencies linux-headers-amd64 "$version" | grep '^linux-headers-')
  mapfile -t build_parts < <(dependencies "$headers" "$version" | grep -E '^linux-(headers-.*-common|kbuild-)')
  name=${image#linux-image-}
  if [ -z "$name" ] || [ ${#build_parts[@]} = 0 ]; then die "the packages of kernel $line ($version) are not what was expected"; fi
  mkdir -p "$cache/kernels"
  folder=$(mktemp -d "$cache/kernels/unpacking.XXXXXX")
  chmod 755 "$folder"
  # kbuild's version may differ from the kernel's by a rebuild: the newest of its name fits.
  unpack_packages "$folder" "$image=$version" "$headers=$version" "${build_parts[@]}"
  make_kernel_relocatable "$folder"
  uncompress_modules "$folder"
  rm -rf "$cache/kernels/${name:?}"
  mv "$folder" "$cache/kernels/$name"
  ln -sfn "$name" "$cache/kernels/$line"
  note "kernel $name ($version) is in $cache/kernels"
  is_kernel_usable "$line" || die "it is too old: let this machine's apt have Debian's security updates"
}

# The packages expect to live in /usr/src and /lib: make every path relative to the folder they were unpacked in.
make_kernel_relocatable() {
  local folder=$1 release modules
  [ -d "$folder/lib" ] || ln -s usr/lib "$folder/lib"
  release=$(kernel_release "$folder")
  modules=$folder/lib/modules/$release
  make_headers_relocatable "$(kernel_headers "$folder")"
  rm -f "$modules/build" "$modules/source"
  ln -s "$(kernel_headers "$folder")" "$modules/build"
}

make_headers_relocatable() {
  # shellcheck disable=SC2016 # the dollar signs are make's
  sed -i 's,^include /usr/src/,include $(dir $(abspath $(lastword $(MAKEFILE_LIST))))../,' "$1/Makefile"
}

# Compressed modules cost seconds in an emulated machine, and in every depmod.
uncompress_modules() {
  local release
  release=$(kernel_release "$1")
  find "$1/lib/modules/$release/" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" unxz
  /sbin/depmod -b "$1" "$release"
}
