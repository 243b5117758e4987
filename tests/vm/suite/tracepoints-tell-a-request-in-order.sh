#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tracepoints of one read: kick, fetch, operation, its end, the answer, the interrupt, with one head and one number.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs tracefs $tracing
mkdir $tracing/instances/vloop
events=$tracing/instances/vloop
tracing() { echo "$1" >$events/events/vloop/enable; }

# Lines such as "vloop_fetch: vloop0 queue=0 head=3 ...".
lines() { sed -n 's/.*\<\(vloop_[a-z_]*\): /\1 /p' $events/trace; }
names() { lines | awk '{ print $1 }' | tr '\n' ' '; }
# field NAME KEY: of the only line of that name.
field() { lines | sed -n "s/^$1 .*\<$2=\([^ ]*\).*/\1/p"; }

image disk.img 8M
serve disk --device blk=disk.img
disk=$(node disk)
id=$(basename "$(dirname "$(readlink -f "/sys/block/${disk##*/}/device")")")

tracing 1
expect 'a read' read_directly "$disk" 5
tracing 0
lines >trace
# A worker that looks by itself is not notified.
equal 'the events' "$(names | sed 's/^vloop_kick //')" 'vloop_fetch vloop_op vloop_op_end vloop_complete vloop_interrupt '
equal 'the device' "$(awk '{ print $2 }' trace | sort -u)" "$id"
for name in vloop_op vloop_op_end vloop_complete; do
  equal "the head of $name" "$(field $name head)" "$(field vloop_fetch head)"
  equal "the number of $name" "$(field $name seq)" "$(field vloop_fetch seq)"
done
equal 'what the driver lets us write' "$(field vloop_fetch writable)" 4097
equal 'the verb' "$(awk '$1 == "vloop_op" { print $6 }' trace)" file-to-request
equal 'the flags' "$(field vloop_op flags)" 'complete|status|detach'
equal 'where in the file' "$(field vloop_op offset)" $((5 * 4096))
equal 'what was moved' "$(field vloop_op_end moved)" 4096
equal 'the error' "$(field vloop_op_end error)" 0
equal 'the used length' "$(field vloop_complete length)" 4097

# Those of a device's life.
echo >$events/trace
tracing 1
stop disk
tracing 0
expect 'the driver writes its status' grep -q 'queue=-1 status arg=' $events/trace
expect 'the end' grep -q "$id queue=-1 gone arg=0" $events/trace
rmdir $events
