#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With 32 writes in a slow backing, SIGTERM and SIGINT alike lead to a clean end in which each of them was answered.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

slow_disk 700000000
for signal in TERM INT; do
  serve $signal --device "blk=$slow_node"
  disk=$(node $signal)
  fio --name=job --filename="$disk" --rw=randwrite --bs=4k --size=64M --direct=1 --iodepth=32 --ioengine=libaio \
    --time_based --runtime=60 --allow_file_create=0 --output=fio.out &
  load=$!
  within 10 '32 requests in flight' is_busy "$disk" 32
  kill -$signal "${server_pid[$signal]}"
  end $signal 15
  equal "exit status after SIG$signal" $status 0
  equal 'requests completed of those taken' "$(statistic $signal completed)" "$(statistic $signal taken)"
  at_least 'requests taken' "$(statistic $signal taken)" 32
  equal 'requests in flight at the end' "$(grep -o 'in flight [0-9]*' $signal.log)" 'in flight 0'
  within 5 'the end of fio' has_ended $load
  wait $load || true # its disk went away
  expect 'the disk is gone' no_file "/sys/block/${disk##*/}"
done
remove_null_block slow
