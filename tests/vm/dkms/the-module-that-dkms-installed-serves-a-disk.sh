#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# DKMS installs what it built (dkms/run); modprobe finds that module and no other, and it serves a disk. Removed, it is gone.
# timeout: 150
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

release=$(uname -r)
modules=/lib/modules/$release
built=$(dirname "$(dirname "$(readlink -f "$(command -v vloop)")")")/dkms
package=vloop/$(vloop --version | cut -d' ' -f2)

run_dkms() { dkms --dkmstree "$built/tree" --sourcetree "$built/sources" "$@"; }

# The modules that the test needs, without ours, and the headers where a distribution has them. Whole, the tree would keep
# an emulated depmod busy for minutes.
small_module_tree() {
  local kernel file
  kernel=$(readlink -f "$modules/kernel")
  mkdir -p small/kernel
  while read -r file; do cp "$file" small/kernel/; done < <(insmods vloop; insmods virtio_blk)
  cp "$modules"/modules.{order,builtin,builtin.modinfo} small/
  ln -s "${kernel%/lib/modules/*}/usr/src/linux-headers-$release" small/build
  mount --bind small "$modules"
  depmod
}
insmods() { modprobe --show-depends "$1" | awk '$1 == "insmod" && $2 !~ /\/vloop\.ko$/ { print $2 }'; }

unload
small_module_tree
expect_failure 'no other module is there' modprobe -q vloop

expect 'dkms install' run_dkms install "$package"
expect 'dkms says so' grep -q "$package, $release, .*: installed" <(run_dkms status)
modprobe vloop
equal 'where modprobe finds it' "$(modinfo -n vloop)" "$(echo "$modules"/updates/dkms/vloop.ko*)"
equal 'the source it was built from' "$(cat /sys/module/vloop/srcversion)" "$(modinfo -F srcversion vloop)"
random_image disk.img 8
serve disk --device blk=disk.img
expect 'a write' write_directly "$(node disk)" 3
expect 'the disk is its file' same_content "$(node disk)" disk.img
stop disk
unload

expect 'dkms remove' run_dkms remove "$package" --all
expect_failure 'the module is gone' modprobe -q vloop
umount "$modules"
modprobe vloop # the library unloads it
