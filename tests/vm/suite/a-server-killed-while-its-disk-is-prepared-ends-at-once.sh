#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The I/O scheduler of a new disk is set when its node is there, and the kernel lets that wait for the requests of the
# partition scan, which nobody serves any more when the server is killed. Its end must not wait for them.
# debug: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# A request takes longer than the rest of the start, so the scan is under way when the node is told.
slow_disk 1500000000
serve disk --device "blk=$slow_node" --recoverable --grace 60s
id=$(device_id disk)
writes_scheduler() { pgrep -x vloop | grep -qvx "${server_pid[disk]}"; }
within 10 'a process that sets the scheduler' writes_scheduler
begin=$(milliseconds)
kill_server disk
took=$(($(milliseconds) - begin))
echo "the server ended within $took ms"
at_most 'ms until the server has ended' "$took" $((5000 * ${time_factor:-1}))
equal 'the state of its device' "$(state "$id")" deserted
expect 'requests of the scan wait' is_busy /dev/vda 1

recover next "$id"
has_no_scheduler() { grep -qF '[none]' /sys/block/vda/queue/scheduler; }
within 20 'the scheduler is none' has_no_scheduler
stop next
