#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A backing file that changed its size under a mounted disk: SIGUSR1 gives the disk the new one, larger and smaller, under
# load; a device beside it that has no size does not mind; a signal with nothing new changes nothing.
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

has_size() { [ "$(blockdev --getsize64 "$1")" = "$2" ]; }
tell() { kill -USR1 "${server_pid[disk]}"; }

image disk.img 32M
serve disk --device blk=disk.img --device rng
node=$(node_of disk blk)
mkfs.ext4 -q "$node"
mkdir mounted
mount "$node" mounted
tell
verify_with_fio --filename=mounted/fio --size=8M --bs=4k --iodepth=4 --ioengine=libaio --direct=1 >fio.log &
load=$!
for megabytes in 48 64; do
  truncate -s ${megabytes}M disk.img
  tell
  within 10 "$megabytes MiB" has_size "$node" $((megabytes << 20))
  expect "the file system grows to $megabytes MiB" resize2fs "$node"
done
dd if=/dev/urandom of=mounted/large bs=1M count=36 status=none
expect 'fio while it grew' wait $load
umount mounted
expect 'fsck is clean' check_file_system "$node"
expect 'the disk is its file' same_content "$node" disk.img

truncate -s 16M disk.img
tell
within 10 'the smaller size' has_size "$node" $((16 << 20))
expect_failure 'a read behind the end' read_directly "$node" $((20 << 8)) 2>dd.err
expect 'a read before it' read_directly "$node" 0
: >disk.img
tell
within 10 'a word about the empty file' grep -q 'nothing is left of the file' disk.log
equal 'the size of a disk without a file' "$(blockdev --getsize64 "$node")" $((16 << 20))
equal 'sizes that were told' "$(grep -c 'sectors now' disk.log)" 3
stop disk
