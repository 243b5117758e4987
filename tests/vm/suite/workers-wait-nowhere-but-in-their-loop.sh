#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The list of system calls that a worker makes under load: io_uring_enter, in which it waits, and calls that do not wait.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

thread_names() { cat /proc/"${server_pid[disk]}"/task/*/comm; }
workers() { grep -lE '^vloop-[0-9]+$' /proc/"${server_pid[disk]}"/task/*/comm | cut -d/ -f5; }

scratch_disk
random_image scratch/disk.img 16
serve disk --device blk=scratch/disk.img,queues=2 --device rng --threads 2
disk=$(awk '$2 == "blk" { print $1 }' disk.out)
equal 'workers' "$(workers | wc -l)" 2

traced=()
for id in $(workers); do traced+=(-p "$id"); done
strace -y -o trace "${traced[@]}" 2>strace.err &
tracer=$!
within 10 'strace is attached' grep -q attached strace.err
for depth in 1 32; do
  run_fio --filename="$disk" --rw=randrw --bs=4k --size=1M --direct=1 --iodepth=$depth --ioengine=libaio --fdatasync=16
done
expect 'random bytes' dd if=/dev/hwrng of=/dev/null bs=512 count=4 status=none
names=$(thread_names)
kill -INT $tracer
within 10 'the end of strace' has_ended $tracer
stop disk

# Lines like "123 io_uring_enter(..." and "123 <... io_uring_enter resumed>"; others are signals and exits.
sed -n -e 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' trace | sort | uniq -c | sort -rn >calls
cat calls
at_least 'calls traced' "$(awk '{ sum += $1 } END { print sum + 0 }' calls)" 100
# A queue's descriptor was opened so that reading it never waits, a write to it only begins operations, a yield returns.
others=$(awk '$2 !~ /^(io_uring_enter|read|write|sched_yield)$/ { print $2 }' calls | tr '\n' ' ')
equal 'other kinds of calls' "$others" ''
equal 'reads and writes of something else' "$(grep -E ' (read|write)\(' trace | grep -cv 'vloop-queue' || true)" 0
# Nor does the kernel wait in threads of the ring's behalf.
equal 'threads of the ring' "$(grep -c iou-wrk <<<"$names" || true)" 0
