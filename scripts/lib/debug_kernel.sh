# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The debug kernel: Debian's source of 6.12 with the options of tests/vm/debug-kernel.config, built once per cache and laid
# out like an unpacked kernel (scripts/lib/kernels.sh). Nothing is installed, and building it needs no root.
#
# cache/kernels/debug-SUM/   SUM: of the options and of how it is built, so that a change of either is another kernel.

# shellcheck source=scripts/lib/apt_root.sh
. "${BASH_SOURCE[0]%/*}/apt_root.sh"
# shellcheck source=scripts/lib/packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"

debug_kernel_config=$tree/tests/vm/debug-kernel.config
# To be counted up when the functions below build something else from the same options.
debug_kernel_recipe=1

# debug_kernel_folder: prints the folder, building the kernel first if need be.
debug_kernel_folder() {
  local folder
  folder=$cache/kernels/debug-$(debug_kernel_sum)
  if [ ! -d "$folder" ]; then
    say "the debug kernel is not there yet: it is built once, in about 15 minutes on two processors"
    locked "$cache/debug-kernel.lock" build_debug_kernel "$folder"
  fi >&2
  readlink -f "$folder"
}

# Comments may change as they like.
debug_kernel_options() { grep '^CONFIG_' "$debug_kernel_config"; }

debug_kernel_sum() { { echo $debug_kernel_recipe; debug_kernel_options; } | sha256sum | cut -c1-12; }

# build_debug_kernel FOLDER: under the lock; somebody else may have built it while we waited.
build_debug_kernel() (
  local folder=$1 place source out
  [ ! -d "$folder" ] || return 0
  mkdir -p "$cache/kernels"
  place=$(mktemp -d "$cache/kernels/building.XXXXXX")
  trap 'rm -rf "$place"' EXIT
  source=$place/source out=$place/out
  detect_distribution
  install_packages "${build_packages[@]}" "${kernel_packages[@]}" "${debug_kernel_packages[@]}" "${fetch_packages[@]}"
  locked "$cache/kernels.lock" fetch_kernel_source "$place/package"
  say "unpacking the kernel's source (2 GB until the kernel is built)"
  mkdir "$source"
  tar -C "$source" --strip-components=1 -xf "$place"/package/usr/src/linux-source-*.tar.xz
  rm -rf "$place/package"
  configure_debug_kernel "$source"
  make_debug_kernel "$source"
  install_debug_kernel "$source" "$out"
  remove_old_debug_kernels
  chmod 755 "$out"
  mv "$out" "$folder"
  note "the debug kernel $(basename "$folder"/lib/modules/*) is in $folder"
)

# fetch_kernel_source FOLDER: the newest 6.12 of the suites that the stock kernels are from.
fetch_kernel_source() {
  say "fetching Debian's source of kernel 6.12 (150 MB, once)"
  update_apt_root
  unpack_packages "$1" "linux-source-6.12=$(newest_version linux-source-6.12 6.12.)"
}

# kernel_make SOURCE TARGET...: what is built shall depend on nothing in the caller's environment.
kernel_make() {
  local source=$1
  shift
  env -u ARCH -u CROSS_COMPILE -u LOCALVERSION -u KCFLAGS -u KBUILD_OUTPUT -u MAKEFLAGS \
    KBUILD_BUILD_USER=vloop KBUILD_BUILD_HOST=vloop make -C "$source" "$@"
}

# Everything that is not named is off; whatever is named must have been granted.
configure_debug_kernel() {
  local source=$1 option
  debug_kernel_options >"$source/wanted.config"
  quietly "$cache/log/debug-kernel-config.log" \
    kernel_make "$source" KCONFIG_ALLCONFIG=wanted.config allnoconfig
  while read -r option; do
    option_granted "$option" "$source/.config" ||
      die "$debug_kernel_config: $option was not granted by this kernel's Kconfig (what it depends on is off, or its name changed)"
  done < <(debug_kernel_options)
}

# option_granted NAME=VALUE FILE
option_granted() {
  case $1 in
    *=n) ! grep -q "^${1%=n}=" "$2" ;;
    *) grep -qxF "$1" "$2" ;;
  esac
}

# It takes minutes: says how far it is.
make_debug_kernel() {
  local log=$cache/log/debug-kernel-build.log status=0
  say "building the debug kernel (log: $log)"
  kernel_make "$1" -j"$(nproc)" bzImage modules 2>&1 | tee "$log" | tell_progress || status=$?
  [ $status = 0 ] && return
  tail -n 40 "$log" >&2
  die "the debug kernel does not build; the whole log: $log"
}

tell_progress() {
  awk '/^ +(CC|AS) / && ++files % 250 == 0 { print "   " files " files are compiled"; fflush() }' >&2
}

install_debug_kernel() {
  local source=$1 out=$2 release headers log=$cache/log/debug-kernel-install.log
  release=$(<"$source/include/config/kernel.release")
  headers=$out/usr/src/linux-headers-$release
  mkdir -p "$out/boot" "$headers"
  cp "$source/arch/x86/boot/bzImage" "$out/boot/vmlinuz-$release"
  cp "$source/System.map" "$out/boot/System.map-$release"
  cp "$source/.config" "$out/boot/config-$release"
  quietly "$log" kernel_make "$source" INSTALL_MOD_PATH="$out" INSTALL_MOD_STRIP=1 DEPMOD=/sbin/depmod modules_install
  # The script by which the kernel's own packages get their headers.
  # shellcheck disable=SC2016 # the dollar signs are make's
  quietly "$log" kernel_make "$source" run-command \
    KBUILD_RUN_COMMAND='$(srctree)/scripts/package/install-extmod-build '"$headers"
  cp "$source/.config" "$headers/"
  rm -f "$out/lib/modules/$release"/{build,source}
  ln -s "../../../usr/src/linux-headers-$release" "$out/lib/modules/$release/build"
}

# Nobody uses those of long ago; a machine may be running on a newer one, of another branch.
remove_old_debug_kernels() { find "$cache/kernels" -maxdepth 1 -name 'debug-*' -mtime +14 -exec rm -rf {} +; }
