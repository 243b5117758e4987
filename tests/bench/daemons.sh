#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `vloop bench` on the socket of an unmodified daemon, QEMU's. Needs no root.
# usage: daemons.sh VLOOP QEMU-STORAGE-DAEMON
set -u
vloop=$(realpath "$1")
daemon=$2
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
head -c 4194304 /dev/urandom > full.img
truncate -s 4M hole.img
pids=
trap 'kill -9 $pids 2> /dev/null; rm -rf "$scratch"' EXIT

# serve FILE WRITABLE SOCKET: sets 'pid'.
serve() {
  "$daemon" --blockdev driver=file,node-name=disk,filename="$1",cache.direct=off \
    --export type=vhost-user-blk,id=export,node-name=disk,writable="$2",num-queues=4,addr.type=unix,addr.path="$3" &
  pid=$!
  pids="$pids $pid"
  for _ in $(seq 100); do
    [ ! -S "$3" ] || return 0
    sleep 0.1
  done
  failed "the daemon does not listen at $3"
}

serve full.img off read.sock
for pattern in read randread; do
  measured 0 vhost-user=read.sock --backing full.img,direct=off --pattern $pattern --count 500 --rounds 2 --verify \
    --depth 8 --queues 2 --block 8k
  holds "$pattern: every block is what the file has" '[.targets[].verified >= 1000] == [true, true]'
  holds "$pattern: it is compared with the file" '.base == "raw=full.img" and .targets[1].ratio_to_base.median > 0'
done
measured 0 vhost-user=read.sock --count 20000 --rounds 1
holds 'the time of the daemon is known' '.targets[0].daemon_time_ns_per_request.median > 0 and .base == null'
holds 'one call for each request, or less' '.targets[0].enters_per_request.median > 0 and
  .targets[0].enters_per_request.median < 1.5'
measured 0 vhost-user=read.sock --count 200 --rounds 1 --depth 32 --block 128k
holds 'large requests' '.targets[0].requests == 200'
refused 2 'read-only' vhost-user=read.sock --pattern write --destroy
refused 1 'vhost-user=read.sock.*--destroy' vhost-user=read.sock --pattern write
refused 2 'give --backing' vhost-user=read.sock --verify
refused 2 'no options' vhost-user=read.sock,queues=2
refused 1 'has 4 queue' vhost-user=read.sock --queues 5
refused 1 'No such file' vhost-user=missing.sock

# A file that is not what the daemon has.
head -c 4194304 /dev/urandom > other.img
refused 1 'vhost-user=read.sock: the block at byte .* is not what' vhost-user=read.sock --backing other.img --verify --count 10

serve hole.img on write.sock
measured 0 vhost-user=write.sock --pattern randwrite --count 500 --rounds 2 --verify --depth 16 --queues 4 --destroy
holds 'what was written is read back' '.targets[0].verified > 0'
measured 0 vhost-user=write.sock --pattern mixed --count 500 --rounds 1 --verify --depth 4 --destroy
holds 'mixed: what was written is read back' '.targets[0].verified > 0'

# A daemon that dies ends the run, at once and with one line.
(sleep 1; kill -9 "$pid") &
refused 1 'write.sock.*closed the connection' vhost-user=write.sock --duration 30s
# One that is stopped is waited for, and no longer than is promised.
serve full.img off stopped.sock
(sleep 1; kill -STOP "$pid") &
refused 1 'none has ended for 10 s' vhost-user=stopped.sock --duration 30s

finish
