# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The folder that the virtual machine sees as /lib/modules/RELEASE: the kernel's own modules plus those built here.

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/../../../scripts/lib/kernels.sh"

# module_tree KERNEL_FOLDER OUT [MODULE.ko...]: a folder per content, never changed once it is there, since machines may be
# running on it.
module_tree() {
  local folder=$1 out=$2 release sum base
  shift 2
  release=$(kernel_release "$folder")
  sum=$({ echo "$folder"; [ $# = 0 ] || cat "$@"; } | sha256sum | cut -c1-16)
  base=$out/modules-$release-$sum
  [ -d "$base" ] || locked "$out/modules.lock" fill_module_tree "$folder" "$release" "$base" "$@"
  echo "$base/lib/modules/$release"
}

fill_module_tree() {
  local folder=$1 release=$2 base=$3 root
  shift 3
  [ ! -d "$base" ] || return 0
  find "${base%/*}" -maxdepth 1 -name 'modules-*' -mmin +600 -exec rm -rf {} +
  rm -rf "$base.new"
  root=$base.new/lib/modules/$release
  mkdir -p "$root/updates"
  ln -s "$folder/lib/modules/$release/kernel" "$root/kernel"
  cp "$folder/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/"
  [ $# = 0 ] || cp "$@" "$root/updates/"
  /sbin/depmod -b "$base.new" "$release"
  mv "$base.new" "$base"
}
