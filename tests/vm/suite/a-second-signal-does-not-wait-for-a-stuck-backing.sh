#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A write hangs in the backing, a frozen file system: the first signal waits for it, the second ends the process within
# 6 s, with status 1. The kernel ends the rest when the backing has answered.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# FIFREEZE and FITHAW of <linux/fs.h>.
freeze() { python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045877, 0)'; }
thaw() { python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045878, 0)'; }

scratch_disk
random_image scratch/disk.img 8
serve disk --device blk=scratch/disk.img
disk=$(node disk)
freeze
write_directly "$disk" 3 2>dd.err &
writer=$!
within 5 'a write that hangs' is_busy "$disk" 1

kill -TERM "${server_pid[disk]}"
sleep 1
expect 'the first signal waits' kill -0 "${server_pid[disk]}"
kill -TERM "${server_pid[disk]}"
end disk 6
equal 'exit status' $status 1
expect 'the log says what was given up' grep -q 'given up; the kernel answers' disk.log

thaw
within 5 'the end of the write' has_ended $writer
wait $writer || true # the kernel may finish it, or fail it with the disk
within 5 'the disk is gone' no_file "/sys/block/${disk##*/}"
