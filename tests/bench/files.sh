#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `vloop bench` on files: what it prints, what it refuses, and what a signal does. Needs no root.
# usage: files.sh VLOOP
set -u
vloop=$(realpath "$1")
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
head -c 4194304 /dev/urandom > full.img
truncate -s 4M hole.img
: > empty.img
head -c 8192 /dev/urandom > small.img
quick='--count 100 --warm-up 0 --rounds 1'

# ---- it measures ----

measured 0 raw=full.img --count 1000 --warm-up 10ms --rounds 3 --depth 4 --block 8k --seed 5 --pattern randread
holds 'as many requests as asked for in each round' '[.targets[].rounds[].count] == [1000, 1000, 1000]'
holds 'as many in all' '.targets[0].requests == 3000'
holds 'the options are told' '.pattern == "randread" and .block_bytes == 8192 and .depth == 4 and .queues == 1 and
  .rounds == 3 and .count == 1000 and .duration_ms == null and .warm_up_ms == 10 and .seed == 5 and .verify == false and
  .span_bytes == 4194304 and .signal == null'
holds 'there are figures for everything' '.targets[0] | .target == "raw=full.img" and .iops.median > 0 and
  .iops.least <= .iops.median and .iops.median <= .iops.most and .bytes_per_second.median > .iops.median and
  .latency_ns.p50 > 0 and .latency_ns.p50 <= .latency_ns.p99 and .latency_ns.p99 <= .latency_ns.p99_9 and
  .latency_ns.p99_9 <= .latency_ns.max and .process_time_ns_per_request.median >= 0 and
  .daemon_time_ns_per_request == null and .enters_per_request.median > 0'
holds 'what others are compared with is compared with nothing' '.base == "raw=full.img" and
  .targets[0].ratio_to_base == null and .targets[0].ranges_overlap == null'

# shellcheck disable=SC2086 # quick is words
for pattern in read randread; do
  measured 0 raw=full.img $quick --pattern $pattern --verify --queues 2 --depth 3
  holds "$pattern: every block is compared" '.targets[0].verified == 100'
done
# shellcheck disable=SC2086
for pattern in write randwrite mixed; do
  cp --sparse=always hole.img $pattern.img
  measured 0 raw=$pattern.img $quick --pattern $pattern --verify --depth 4
  holds "$pattern: what was written is read back" '.targets[0].verified > 0 and .targets[0].verified <= 100'
  cmp -s $pattern.img hole.img && failed "$pattern: wrote nothing"
done
measured 0 raw=hole.img --count 1 --warm-up 0 --rounds 1
holds 'one request is one request' '.targets[0].requests == 1'
measured 0 raw=hole.img --duration 50ms --warm-up 1ms --rounds 1
holds 'a duration is a duration' '.duration_ms == 50 and .count == null and .targets[0].rounds[0].time_ns >= 50000000'
measured 0 raw=full.img --backing hole.img --count 50 --rounds 2
holds 'a backing is measured too, in every round' '.base == "raw=hole.img" and (.targets | length) == 2 and
  [.targets[].requests] == [100, 100] and .targets[1].ratio_to_base.median > 0 and
  (.targets[1].ranges_overlap | type) == "boolean"'
cp full.img 'a,"b.img'
measured 0 'raw=a,,"b.img' --count 10 --rounds 1
holds 'a name with a quote is told as it is' '.targets[0].target == "raw=a,,\"b.img"'

# For a person: a heading, a line for each target.
timeout 60 "$vloop" bench raw=full.img --backing hole.img --count 1000 --rounds 2 > out 2> err
if grep -q '^randread 4k, depth 1, 1 queue, 2 rounds of 1000 requests, over 4M, seed 1$' out && [ ! -s err ] &&
  grep -q '^TARGET  *IOPS .*OF RAW$' out && grep -q '^raw=full.img .*[0-9])' out && grep -q '^raw=hole.img .*-$' out; then
  echo "ok: the table"
else
  failed "the table: $(cat out err)"
fi

# ---- it refuses ----

before=$(md5sum full.img)
refused 1 'full.img.*--destroy' raw=full.img --pattern write
refused 1 'full.img.*--destroy' raw=full.img --pattern mixed
refused 1 'full.img.*--destroy' raw=hole.img --backing full.img --pattern randwrite
[ "$before" = "$(md5sum full.img)" ] || failed 'a refused file has changed'
measured 0 raw=full.img --pattern randwrite --count 10 --rounds 1 --destroy
[ "$before" != "$(md5sum full.img)" ] || failed '--destroy: nothing was written'
refused 2 'read-only' raw=hole.img,readonly --pattern write
refused 2 'TARGET is required'
refused 2 "no target 'frobnicate'" frobnicate=hole.img
refused 2 "TARGET 'raw='" raw=
refused 2 'no option' raw=hole.img,colour=red
refused 2 "no option 'queues'" raw=hole.img,queues=2
refused 2 '4q.*no size' raw=hole.img --block 4q
refused 2 'out of range; give 512 to 1M' raw=hole.img --block 0
refused 2 'out of range' raw=hole.img --block 2M
refused 2 'out of range' raw=hole.img --block 99999999999999999999
refused 2 'no multiple of 512' raw=hole.img --block 1000
refused 2 'larger than raw=small.img' raw=small.img --block 1M
refused 2 '--depth' raw=hole.img --depth 0
refused 2 '--depth' raw=hole.img --depth 1000
refused 2 '--queues' raw=hole.img --queues 0
refused 2 '--rounds' raw=hole.img --rounds 0
refused 2 '--count' raw=hole.img --count 0
refused 2 'no time' raw=hole.img --duration soon
refused 2 'out of range' raw=hole.img --duration 0
refused 2 'excludes' raw=hole.img --duration 1s --count 5
refused 2 "'scribble' is unknown" raw=hole.img --pattern scribble
refused 2 "backing 'hole.img,colour=red'" raw=hole.img --backing hole.img,colour=red
refused 1 'missing.img.*No such file' raw=missing.img
refused 1 'missing.img.*No such file' raw=hole.img --backing missing.img
refused 1 'empty' raw=empty.img
refused 1 'directory' raw=.
refused 1 '/dev/null' raw=/dev/null

# ---- a signal ends it with what was measured ----
# Without --foreground a signal would come twice: to the program, and to its process group. The second one kills.

for signal in INT:130 TERM:143; do
  timeout --foreground -s "${signal%:*}" --preserve-status 3 "$vloop" bench --json raw=full.img --duration 20s --rounds 2 > out 2> err
  got=$?
  if [ "$got" != "${signal#*:}" ] || [ -s err ]; then failed "SIG${signal%:*}: status $got: $(cat err)"; fi
  holds "SIG${signal%:*} ends it, and its round counts" '.signal > 0 and (.targets[0].rounds | length) == 1 and
    .targets[0].requests > 0 and .targets[0].rounds[0].time_ns < 15000000000'
done

finish
