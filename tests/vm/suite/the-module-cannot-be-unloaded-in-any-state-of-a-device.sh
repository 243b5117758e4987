#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Not while a device is created, starting, live, deserted, failing or being removed; and soon after its end, even if its
# disk is still open. None of the attempts does any harm.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

# FIFREEZE and FITHAW of <linux/fs.h>.
freeze() { python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045877, 0)'; }
thaw() { python3 -c 'import fcntl, os; fcntl.ioctl(os.open("scratch", os.O_RDONLY), 0xc0045878, 0)'; }

devices() { find /sys/class/vloop -mindepth 1 -maxdepth 1 | wc -l; }
unloaded() { rmmod vloop 2>/dev/null; }

raw a_device_that_was_created_keeps_the_module a_device_that_starts_keeps_the_module a_disk_that_is_live_keeps_the_module \
  a_disk_that_is_deserted_keeps_the_module a_disk_that_fails_its_requests_keeps_the_module

# Being removed: that waits for a write which is stuck in the backing.
scratch_disk
image scratch/disk.img 8M
serve disk --device blk=scratch/disk.img
freeze
write_directly "$(node disk)" 3 2>dd.err &
writer=$!
within 5 'a write that is stuck' is_busy "$(node disk)" 1
kill -KILL "${server_pid[disk]}"
end disk 5
equal 'devices that are left' "$(devices)" 1
expect_failure 'unloading while a device is being removed' rmmod vloop 2>error
expect 'what rmmod says' grep -q 'in use' error
thaw
within 5 'the end of the write' has_ended $writer
within 5 'unloading afterwards' unloaded
modprobe vloop

# Gone, but still open by somebody: that is the driver's disk and not the module's.
serve disk --device blk=scratch/disk.img
exec 7<"$(node disk)"
kill -KILL "${server_pid[disk]}"
end disk 5
within 5 'unloading while the disk is open' unloaded
equal 'bytes that are read from the disk that is open' "$(head -c 512 <&7 | wc -c)" 0
exec 7<&-
modprobe vloop

# At once after the end of a server that was at work.
for _ in 1 2 3; do
  serve disk --device blk=scratch/disk.img
  dd if=/dev/zero of="$(node disk)" bs=512 oflag=direct status=none 2>dd.err &
  load=$!
  within 10 'the load to work' is_busy "$(node disk)" 1
  kill -KILL "${server_pid[disk]}"
  within 5 'unloading after the death of the server' unloaded
  end disk 5
  within 5 'the end of the load' has_ended $load
  expect_failure 'the load, whose disk went away' wait $load
  modprobe vloop
done
