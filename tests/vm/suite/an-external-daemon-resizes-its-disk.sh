#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# block_resize by QMP: the new size of a disk that is in use reaches its node, larger and smaller. A driver that is
# unbound and bound finds the size of now, and its data; the daemon's side is reset with it. The end is an orderly one.
# host: storage-daemon
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/external_daemon.sh
. "$tree/tests/vm/suite-lib/external_daemon.sh"
# shellcheck source=tests/vm/suite-lib/rebinding.sh
. "$tree/tests/vm/suite-lib/rebinding.sh"

daemon_program=$storage_daemon

has_size() { [ "$(blockdev --getsize64 "$1")" = "$2" ]; }
resize() { expect "block_resize to $1 MiB" python3 "$suite_lib/qmp.py" ext.qmp block_resize node-name=file size=$(($1 << 20)); }

image disk.img 64M
start_daemon ext disk.img
serve disk --device vhost-user=ext.sock
node=$(node disk)
equal 'size' "$(blockdev --getsize64 "$node")" $((64 << 20))
mkfs.ext4 -q -F "$node"
mkdir disk
mount "$node" disk
for size in 96 128; do
  resize $size
  within 20 "the node has $size MiB" has_size "$node" $((size << 20))
  expect "growing the file system to $size MiB" resize2fs "$node"
  dd if=/dev/urandom of="disk/at-$size" bs=1M count=24 status=none
done
expect 'verified fio on the larger disk' verify_with_fio --filename=disk/fio --size=16M --bs=16k --iodepth=8 --direct=1 \
  --ioengine=libaio
sum=$(cat disk/at-* | sha256sum)
umount disk
at_least 'changes that the kernel saw' "$(dmesg | grep -c 'new size')" 2

virtio=$(virtio_name "$node")
for round in 1 2 3; do
  unbind "$virtio"
  bind "$virtio"
  within 20 "the node after round $round" test -b "$node"
  equal "size after round $round" "$(blockdev --getsize64 "$node")" $((128 << 20))
  mount "$node" disk
  equal "content after round $round" "$(cat disk/at-* | sha256sum)" "$sum"
  umount disk
done
equal 'resets of the daemon' "$(grep -c 'so is the daemon' disk.log)" 3
expect 'fsck of the disk is clean' check_file_system "$node"

resize 160
within 20 'the node grows after all this' has_size "$node" $((160 << 20))
resize 144
within 20 'the node shrinks' has_size "$node" $((144 << 20))
equal 'errors that the kernel saw' "$(dmesg | grep -c 'I/O error, dev vd' || true)" 0
expect "the disk's content is the daemon's file" same_content "$node" disk.img
stop disk
grep -q "the daemon's rings are stopped" disk.log || fail 'the end was not an orderly one'
equal 'errors' "$(statistic disk errors)" 0
stop_daemon ext
