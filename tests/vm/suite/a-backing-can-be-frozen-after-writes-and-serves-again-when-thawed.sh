#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Direct writes give back the write access that they took on the backing's file system, once each: freezing it, which
# waits for all writers, ends. A write that comes meanwhile waits and then succeeds.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# FIFREEZE and FITHAW of <linux/fs.h>; a freeze that waits for a writer that never ends is ended by timeout.
freeze() { timeout 15 python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045877, 0)'; }
thaw() { python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045878, 0)'; }

scratch_disk
random_image scratch/disk.img 8
serve disk --device blk=scratch/disk.img
disk=$(node disk)
run_fio --filename="$disk" --rw=randwrite --bs=4k --size=4M --direct=1 --iodepth=32 --ioengine=libaio
expect 'freezing after writes' freeze
write_directly "$disk" 3 2>dd.err &
writer=$!
within 5 'a write that waits' is_busy "$disk" 1
thaw
within 10 'the end of the write' has_ended $writer
expect 'the write that waited' wait $writer
expect 'freezing again' freeze
thaw
stop disk
