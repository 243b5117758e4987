#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A backing file that grew while nobody served its disk: 'vloop recover' gives the mounted disk its new size, and the file
# system can grow into it. One that shrank gives it less.
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

has_size() { [ "$(blockdev --getsize64 "$1")" = "$2" ]; }

image disk.img 32M
serve first --device blk=disk.img --recoverable
disk=$(node first)
id=$(device_id first)
mkfs.ext4 -q "$disk"
mkdir disk
mount "$disk" disk
random_image data 4
cp data disk/before
sync

kill_server first
truncate -s 64M disk.img
recover second "vloop$id"
within 10 'the larger size' has_size "$disk" $((64 << 20))
expect 'the file system grows' resize2fs "$disk"
dd if=/dev/urandom of=disk/large bs=1M count=40 status=none
expect 'what was there before' cmp data disk/before
umount disk
expect 'fsck is clean' check_file_system "$disk"
expect 'the disk is its file' same_content "$disk" disk.img

kill_server second
truncate -s 16M disk.img
recover third "vloop$id"
within 10 'the smaller size' has_size "$disk" $((16 << 20))
expect_failure 'a read behind the end' read_directly "$disk" $((20 << 8)) 2>dd.err
expect 'a read before it' read_directly "$disk" 0
stop third
