# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The kernel's own checking scripts (checkpatch.pl, kernel-doc), from Debian's source of 6.12: no other package has the first.
#
# cache/kernel-scripts/   the source's scripts/ folder, nothing else of its 1.5 GB

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/kernels.sh"

# kernel_scripts: prints the folder, fetching it first if need be.
kernel_scripts() {
  [ -e "$cache/kernel-scripts" ] || locked "$cache/kernels.lock" fetch_kernel_scripts >&2
  echo "$cache/kernel-scripts"
}

# Under the lock; somebody else may have fetched them while we waited.
fetch_kernel_scripts() (
  [ ! -e "$cache/kernel-scripts" ] || return 0
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/unpacking.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  detect_distribution
  install_packages "${kernel_packages[@]}" "${fetch_packages[@]}"
  fetch_kernel_source "$work/package"
  # Compressed as one: it is read to its end, in about 20 s.
  tar -C "$work" --strip-components=1 --wildcards -xf "$work"/package/usr/src/linux-source-*.tar.xz '*/scripts'
  chmod 755 "$work/scripts"
  mv "$work/scripts" "$cache/kernel-scripts"
)
