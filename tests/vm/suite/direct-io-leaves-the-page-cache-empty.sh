#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The backing's pages are never in memory, whether it is a file on ext4 or a block device; buffered I/O shows that the
# measurement would tell.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

resident_pages() { python3 "$suite_lib/resident_pages.py" "$1"; }

# use_disk NAME BACKING DIRECT: reads and writes 8 MiB while the backing's page cache is looked at; sets 'pages'.
use_disk() {
  echo 3 >/proc/sys/vm/drop_caches
  serve "$1" --device "blk=$2,direct=$3"
  run_fio --filename="$(node "$1")" --rw=randrw --bs=16k --size=8M --direct=1 --iodepth=8 --ioengine=libaio
  # The driver's own cache is another one: the partition scan filled it.
  blockdev --flushbufs "$(node "$1")"
  pages=$(resident_pages "$2")
  stop "$1"
}

scratch_disk
random_image scratch/disk.img 16
sync
use_disk ext4 scratch/disk.img on
equal 'pages of the file on ext4 in memory' "$pages" 0
use_disk ext4-by-default scratch/disk.img auto
equal 'pages of the file on ext4 in memory, direct=auto' "$pages" 0
use_disk buffered scratch/disk.img off
at_least 'pages of the file in memory with buffered I/O' "$pages" 1000

modprobe brd rd_nr=1 rd_size=16384
use_disk brd /dev/ram0 on
equal 'pages of the RAM disk in memory' "$pages" 0
use_disk brd-buffered /dev/ram0 off
at_least 'pages of the RAM disk in memory with buffered I/O' "$pages" 1000
rmmod brd
