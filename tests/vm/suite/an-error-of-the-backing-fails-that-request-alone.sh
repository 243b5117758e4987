#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bad sectors (EIO) and a full file system (ENOSPC) under a sparse file: what touches them fails, the next request works.
# debug: yes
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# Without a look ahead at the bad one.
first_blocks() { dd if="$1" bs=4k count=100 iflag=direct status=none; }

# Sectors 800 to 807: the 4k block 100.
make_null_block bad memory_backed=1 size=16 badblocks=+800-807
backing=$null_block
serve eio --device "blk=$backing"
disk=$(node eio)
expect_failure 'reading the bad block' read_directly "$disk" 100
expect 'reading the block after it' read_directly "$disk" 101
expect_failure 'writing the bad block' write_directly "$disk" 100
expect 'writing the block before it' write_directly "$disk" 99
# Good requests that are in flight together with the bad one; neighbours that the block layer merges fail together.
echo 2 >"/sys/block/${disk##*/}/queue/nomerges"
echo 2 >"/sys/block/${backing##*/}/queue/nomerges"
expect 'fio goes on after the bad block' fio --name=job --filename="$disk" --rw=read --bs=4k --size=1M --direct=1 \
  --iodepth=32 --ioengine=libaio --continue_on_error=all --output=fio.out --output-format=json
equal 'reads of fio that failed' "$(sed -n 's/.*"total_err" : \([0-9]*\).*/\1/p' fio.out)" 1
expect 'what is before it is as on the backing' cmp <(first_blocks "$disk") <(first_blocks "$backing")
stop eio
equal 'errors in the statistics' "$(statistic eio errors)" 3
remove_null_block bad

modprobe brd rd_nr=1 rd_size=32768
mkfs.ext4 -q -O ^has_journal /dev/ram0
mkdir -p small
mount /dev/ram0 small
image small/disk.img 128M
serve enospc --device blk=small/disk.img
disk=$(node enospc)
expect 'writing while there is space' dd if=/dev/urandom of="$disk" bs=1M count=8 oflag=direct status=none
expect_failure 'writing more than there is space' dd if=/dev/zero of="$disk" bs=1M seek=8 count=100 oflag=direct status=none
expect 'writing where there is space already' dd if=/dev/urandom of="$disk" bs=1M count=4 oflag=direct conv=notrunc status=none
expect 'reading what was never written' read_directly "$disk" 20000
expect 'the disk is its file' same_content "$disk" small/disk.img
stop enospc
at_least 'errors in the statistics' "$(statistic enospc errors)" 1
umount small
rmmod brd
