#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With requests under way in a slow backing its server is killed, or stops (SIGSTOP) and is given up: the disk is removed
# within a second after the backing has answered, and everybody who waited knows.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# load DISK: sets 'load'. Returns when the backing has requests of it.
load() {
  fio --name=job --filename="$1" --allow_file_create=0 --rw=randwrite --bs=4k --direct=1 --iodepth=8 --ioengine=libaio \
    --time_based --runtime=60 --output=fio.out &
  load=$!
  within 20 'requests in the backing' is_busy "$null_block" 8
}

# Returns when the backing has answered all and the disk is gone; sets 'took' to the milliseconds between them.
backing_idle() { ! is_busy "$null_block" 1; }
gone_after_the_backing() {
  local answered
  within 20 'the answer of the backing' backing_idle
  answered=$(milliseconds)
  within 20 "vloop$1 is gone" device_gone "$1"
  took=$(($(milliseconds) - answered))
  echo "$2: gone $took ms after the backing had answered"
  at_most "$2: milliseconds until it was gone" $took $((1000 * ${time_factor:-1}))
  within 5 'the end of fio' has_ended $load
  expect_failure 'fio' wait $load
}

make_null_block slow irqmode=2 completion_nsec=1500000000 size=64
for how in fail reissue stopped; do
  policy=$how
  [ $how != stopped ] || policy=reissue
  serve $how --device "blk=$null_block" --on-exit=$policy
  id=$(device_id $how)
  load "$(node $how)"
  case $how in
    fail) kill -KILL "${server_pid[$how]}" ;;
    reissue)
      kill -KILL "${server_pid[$how]}"
      vloop stop "$id" >stop.out 2>&1 &
      stopper=$!
      ;;
    stopped)
      kill -STOP "${server_pid[$how]}"
      vloop stop "$id" --force >stop.out 2>&1 &
      stopper=$!
      ;;
  esac
  expect 'requests are still under way' is_busy "$null_block" 1
  gone_after_the_backing "$id" $how
  [ $how = fail ] || expect 'vloop stop' wait "$stopper"
  [ $how != stopped ] || kill -CONT "${server_pid[$how]}"
  end $how 10
done
equal 'the list in the end' "$(vloop list)" 'no devices'
remove_null_block slow
