#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A new server must be what the driver knows. What is not fails with one line, and leaves the device as it was: deserted,
# or served. The size of a disk may differ, and its driver is told.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 16M
image scratch/larger.img 32M
serve disk --device blk=scratch/disk.img,queues=2,queue-size=128 --on-exit=reissue
disk=$(node disk)
id=$(device_id disk)

refused "vloop$id.*--take-over" vloop recover "$id"
refused "vloop77.*vloop list" vloop recover 77
# The living server is not asked to go for what cannot replace it.
refused 'made with 2 queues, not 1' vloop recover "$id" --take-over --device blk=scratch/disk.img,queue-size=128
refused '128 entries, not 256' vloop recover "$id" --take-over --device blk=scratch/disk.img,queues=2
expect 'the server goes on' write_directly "$disk" 3
expect 'it is the same' kill -0 "${server_pid[disk]}"

kill_server disk
still_deserted() { equal "its state after: $1" "$(state "$id")" deserted; }
refused 'it is of the kind blk, not rng' vloop recover "$id" --device rng
still_deserted 'another kind'
refused 'made with 2 queues, not 4' vloop recover "$id" --device blk=scratch/disk.img,queues=4,queue-size=128
still_deserted 'another number of queues'
refused '128 entries, not 64' vloop recover "$id" --device blk=scratch/disk.img,queues=2,queue-size=64
still_deserted 'another size of queues'
refused 'not made read-only' vloop recover "$id" --device blk=scratch/disk.img,queues=2,queue-size=128,readonly
still_deserted 'read-only'
refused 'missing.img' vloop recover "$id" --device blk=missing.img,queues=2,queue-size=128
still_deserted 'a missing file'
refused 'the very disk' vloop recover "$id" --device "blk=$disk,queues=2,queue-size=128,direct=off"
still_deserted 'its own disk'

equal 'the size of the disk' "$(blockdev --getsize64 "$disk")" $((16 << 20))
recover second "$id" --device blk=scratch/larger.img,queues=2,queue-size=128
within 5 'the new size' grep -qx $((32 << 11)) "/sys/block/${disk##*/}/size"
write_directly "$disk" 8000
expect 'the disk is its new file' same_content "$disk" scratch/larger.img
stop second

serve fixed --device blk=scratch/disk.img
refused 'not recoverable' vloop recover "$(device_id fixed)" --take-over
refused 'not recoverable' vloop recover "$(device_id fixed)"
stop fixed
