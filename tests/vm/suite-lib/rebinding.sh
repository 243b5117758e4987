# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A disk's driver goes away and comes back while a load that checks what it reads goes on.
# shellcheck disable=SC2154 # suite_lib: vloop.sh

# Should the kernel hang in one of these, the test's own time is the bound.
driver=/sys/bus/virtio/drivers/virtio_blk
unbind() { echo "$1" >$driver/unbind; }
bind() { echo "$1" >$driver/bind; }

opened_or_failed() { has_ended "$load" || grep -qx "open $1" load.out; }

# rebind_under_load ROUNDS [,OPTION...]
rebind_under_load() {
  local rounds=$1 virtio round load
  image disk.img 16M
  serve disk --device "blk=disk.img,queues=2${2:-}"
  virtio=$(virtio_name "$(node disk)")
  python3 "$suite_lib/stamping_load.py" "/sys/bus/virtio/devices/$virtio/block" --errors-allowed --threads 4 >load.out &
  load=$!
  for round in $(seq "$rounds"); do
    within 30 "the load to work, round $round" opened_or_failed "$round"
    expect "unbind, round $round" unbind "$virtio"
    expect "bind, round $round" bind "$virtio"
  done
  within 30 'the load to work at the end' opened_or_failed $((rounds + 1))
  kill -TERM $load
  within 60 'the end of the load' has_ended $load
  tail -n 2 load.out
  expect 'what the load read was right' wait $load
  at_least 'requests that were cut off' "$(sed -n 's/.*errors \([0-9]*\)/\1/p' load.out)" "$rounds"
  expect 'the disk is its file' same_content "/dev/$(ls "/sys/bus/virtio/devices/$virtio/block")" disk.img
  stop disk
  equal 'requests in flight at the end' "$(grep -o 'in flight [0-9]*' disk.log | sort -u)" 'in flight 0'
}
