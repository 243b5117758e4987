#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A backing with blocks of 4096 bytes: memory that is aligned to 512 only, single blocks, a file system, buffered
# single sectors. The disk's blocks are the backing's, so nobody can ask for less directly.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# A SCSI disk in memory, the only one whose blocks have 4096 bytes.
find_backing() { backing=/dev/$(lsblk -dnr -o NAME,LOG-SEC,MODEL | awk '$2 == 4096 && /scsi_debug/ { print $1 }') && [ -b "$backing" ]; }

modprobe scsi_debug sector_size=4096 dev_size_mb=48 delay=0
within 10 'the scsi_debug disk' find_backing

serve disk --device "blk=$backing"
disk=$(node disk)
equal 'block size of the disk' "$(blockdev --getss "$disk")" 4096
equal 'bytes of the disk' "$(blockdev --getsize64 "$disk")" $((48 * 1024 * 1024))
expect 'blocks in two pages' python3 "$suite_lib/torn_page_io.py" "$disk"
expect 'verified fio from memory aligned to 512 bytes' verify_with_fio --filename="$disk" --bsrange=4k-64k --size=8M \
  --direct=1 --iodepth=8 --ioengine=libaio --iomem_align=512
expect 'a single sector written through the cache' \
  dd if=/dev/urandom of="$disk" bs=512 seek=4097 count=1 conv=notrunc,fsync status=none
expect_failure 'a single sector directly' dd if="$disk" of=/dev/null bs=512 count=1 iflag=direct status=none

mkfs.ext4 -q "$disk"
mkdir mounted
mount "$disk" mounted
expect 'verified buffered fio of odd sizes' verify_with_fio --filename=mounted/fio --bsrange=512-128k --size=8M \
  --direct=0 --ioengine=psync
expect 'verified direct fio' verify_with_fio --filename=mounted/fio --bs=4k --size=2M --direct=1 --iodepth=8 --ioengine=libaio
umount mounted
expect 'fsck is clean' check_file_system "$disk"
expect 'the disk is its backing' same_content "$disk" "$backing"
stop disk
equal 'errors' "$(statistic disk errors)" 0
rmmod scsi_debug
