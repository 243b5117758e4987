#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: a request that is larger than its slice of the window goes the usual way, and those beside it in place.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# Two transfers of 8 MiB out of huge pages, which make few segments, and one of 4 KiB.
move() {
  python3 - "$1" <<'PYTHON'
import mmap, os, sys
MAP_HUGETLB, SIZE = 0x40000, 8 << 20
disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB)
data = os.urandom(SIZE)
page[:] = data
assert os.pwritev(disk, [page], SIZE) == SIZE
page[:] = bytes(SIZE)
assert os.preadv(disk, [page], SIZE) == SIZE
assert page[:] == data
small = mmap.mmap(-1, 4096)
assert os.preadv(disk, [small], SIZE + 4096) == 4096
assert small[:] == data[4096:8192]
PYTHON
}

image disk.img 32M
serve disk --device blk=disk.img,access=window
echo 8 >/proc/sys/vm/nr_hugepages
echo 8192 >"/sys/block/$(basename "$(node disk)")/queue/max_sectors_kb"
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
echo 1 >/sys/kernel/tracing/events/vloop/vloop_op/enable
expect 'large transfers and a small one' move "$(node disk)"
echo 0 >/sys/kernel/tracing/events/vloop/vloop_op/enable
for verb in file-to-request request-to-file in-place; do
  at_least "operations $verb" "$(grep -c "vloop_op: .*$verb" /sys/kernel/tracing/trace)" 1
done
expect 'the disk is its file' same_content "$(node disk)" disk.img
stop disk
equal 'errors' "$(statistic disk errors)" 0
