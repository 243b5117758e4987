# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The virtual machine's initial RAM file system: busybox, the modules that reach the host's root, guest/.

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/../../../scripts/lib/kernels.sh"

# The modules needed to mount the root; those that are built into the kernel fall away.
boot_modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

# make_initrd KERNEL_FOLDER OUT
make_initrd() {
  local folder=$1 out=$2 release work name
  release=$(kernel_release "$folder")
  work=$(mktemp -d)
  mkdir -p "$work"/{bin,dev,proc,sys,host,ram,root,modules,guest}
  cp "$(command -v busybox)" "$work/bin/busybox"
  cp "$tree/tests/vm/guest/init" "$work/init"
  cp "$tree/tests/vm/guest"/{main,uevent} "$work/guest/"
  chmod 755 "$work/init"
  for name in "${boot_modules[@]}"; do
    /sbin/modprobe -d "$folder" -S "$release" --show-depends "$name"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/list"
  while read -r name; do
    cp "$name" "$work/modules/"
    basename "$name"
  done <"$work/list" >"$work/modules/order"
  rm "$work/list"
  pack "$work" >"$out.new"
  mv "$out.new" "$out"
  rm -rf "$work"
}

# Archives of this kind may be joined end to end: the kernel unpacks one after the other.
pack() { (cd "$1" && find . -mindepth 1 | cpio --quiet -o -H newc -R 0:0); }
