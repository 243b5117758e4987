#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `vloop bench` on vloop's own disk in the same process, with and without a file. Needs no root.
# usage: devices.sh VLOOP
set -u
vloop=$(realpath "$1")
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
head -c 4194304 /dev/urandom > full.img
truncate -s 4M hole.img

# ---- on nothing ----

measured 0 blk=null:1G --count 5000 --rounds 2 --depth 8 --queues 2
holds 'exactly as many requests as asked for, in each round' '[.targets[].rounds[].count] == [5000, 5000]'
holds 'a null disk has its size, and nothing to be compared with' '.span_bytes == 1073741824 and .base == null and
  .targets[0].ratio_to_base == null'
holds 'the calls of both sides are counted' '.targets[0].enters_per_request.median > 0 and .targets[0].rounds[0].enters > 0'
holds 'its time is counted' '.targets[0].rounds[0].time_ns > 0'
measured 0 blk=null:4k --count 1 --rounds 1 --warm-up 0
holds 'one request is one request' '.targets[0].requests == 1'
measured 0 blk=null:1M --pattern randwrite --count 500 --rounds 1 --block 128k --depth 4
holds 'writes to nothing need no permission' '.targets[0].requests == 500'
refused 2 'keeps nothing' blk=null:1M --verify
refused 2 'no size' blk=null:lots
refused 2 'out of range' blk=null:0
refused 2 'larger than' blk=null:4k --block 8k

# ---- on a file ----

for pattern in read randread; do
  measured 0 blk=full.img --count 500 --rounds 2 --warm-up 0 --pattern $pattern --verify --depth 8 --queues 3
  holds "$pattern: every block is what the file has" '[.targets[].verified] == [1000, 1000]'
  holds "$pattern: the file itself is measured beside it" '.base == "raw=full.img" and
    .targets[1].ratio_to_base.median > 0 and (.targets[1].ranges_overlap | type) == "boolean"'
done
for pattern in write randwrite mixed; do
  cp --sparse=always hole.img $pattern.img
  measured 0 blk=$pattern.img --count 500 --rounds 2 --pattern $pattern --verify --depth 16 --block 8k
  holds "$pattern: what was written is read back, of both" '[.targets[].verified > 0] == [true, true]'
  cmp -s $pattern.img hole.img && failed "$pattern: wrote nothing"
done
measured 0 blk=full.img,direct=off raw=full.img,direct=off blk=null:4M --count 100 --rounds 3 --block 1M --depth 2
holds 'several targets take part in each round' '[.targets[].rounds | length] == [3, 3, 3] and
  .base == "raw=full.img,direct=off"'
measured 0 blk=full.img --count 2000 --rounds 1 --depth 256 --block 512
holds 'the deepest queue' '[.targets[].requests] == [2000, 2000]'

refused 1 'full.img.*--destroy' blk=full.img --pattern write
refused 2 'read-only' blk=hole.img,readonly --pattern write
refused 2 'queues follow' blk=full.img,queues=2
refused 2 'queues follow' blk=full.img,queue-size=64
refused 2 'colour' blk=full.img,colour=red
refused 1 'missing.img.*No such file' blk=missing.img

# ---- a signal ends it with what was measured ----

timeout --foreground -s INT --preserve-status 3 "$vloop" bench --json blk=null:1G --duration 20s --depth 4 > out 2> err
[ $? = 130 ] || failed "SIGINT: status is not 130: $(cat err)"
holds 'SIGINT ends it, and its round counts' '.signal == 2 and .targets[0].requests > 0'

# ---- the kernel's drivers get no disk without a file ----

if timeout 10 "$vloop" run --device blk=null:1M > out 2> err || ! grep -q "for 'vloop bench'" err; then
  failed "vloop run --device blk=null:1M: $(cat out err)"
fi

finish
