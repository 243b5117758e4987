#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nobody recovers a disk: when its grace period is over, all who wait for it get an error, direct, buffered or through a
# file system, and so does who comes later. Nothing hangs, nothing is in the way of a late server.
# vm: --scratch 2G
# timeout: 200
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# The kernel complains of whoever waits for more than twice the grace period, and looks every second.
grace=8
hung=/proc/sys/kernel/hung_task
factor=${time_factor:-1}
before_timeout=$(cat ${hung}_timeout_secs)
before_interval=$(cat ${hung}_check_interval_secs)
hung_tasks() {
  echo "$1" >${hung}_timeout_secs
  echo "$2" >${hung}_check_interval_secs
}

all_ended() {
  local pid
  for pid in "${waiting[@]}"; do has_ended "$pid" || return; done
}

scratch_disk
image scratch/disk.img 64M
serve disk --device blk=scratch/disk.img,queues=2 --recoverable --grace ${grace}s
disk=$(node disk)
id=$(device_id disk)
mkfs.ext4 -q "$disk"
mkdir disk
mount "$disk" disk
echo kept >disk/before
sync

hung_tasks $((2 * grace * factor)) 1
kill_server disk
within 2 'a deserted disk' is_in_state "$id" deserted
deserted=$(milliseconds)
waiting=()
for i in 1 2 3 4; do
  read_directly "$disk" $((i * 100)) 2>"reader$i.err" &
  waiting+=($!)
  dd if=/dev/zero of="disk/file$i" bs=64k count=4 conv=fsync status=none 2>"writer$i.err" &
  waiting+=($!)
done
within 7 'requests that wait' is_busy "$disk" 4
within $((grace + 6)) 'the end of all who wait' all_ended
took=$(($(milliseconds) - deserted))
echo "all had ended after $took ms"
at_least 'milliseconds until all had ended' $took $((grace * 900))
for pid in "${waiting[@]}"; do expect_failure 'who waited' wait "$pid"; done
equal 'who was told of an I/O error' "$(grep -lE 'Input/output error|Read-only file system' ./*.err | wc -l)" ${#waiting[@]}
equal 'the state' "$(state "$id")" failing
expect 'the log of the kernel says why' eval "dmesg | grep -q 'no server came within ${grace}000 ms'"
before=$(milliseconds)
expect_failure 'a read that comes later' timeout 20 dd if="$disk" of=/dev/null bs=4k skip=500 count=1 iflag=direct 2>late.err
at_most 'milliseconds until it failed' $(($(milliseconds) - before)) $((5000 * factor))
timeout 20 sync || true # may tell of what was lost, but ends
expect 'umount' timeout 20 umount disk

sleep $((2 * grace * factor + 2)) # somebody who still waited would be found by now
expect_failure 'tasks that hang' eval "dmesg | grep 'blocked for more than'"
hung_tasks "$before_timeout" "$before_interval"

recover late "$id"
equal 'the state' "$(state "$id")" live
mount "$disk" disk
equal 'what had been written before' "$(cat disk/before)" kept
expect 'a write after' eval 'echo new >disk/after && sync disk/after'
umount disk
expect 'fsck is clean' check_file_system "$disk"
stop late
