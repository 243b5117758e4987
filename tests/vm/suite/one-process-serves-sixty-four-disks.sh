#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All of them are there at once, each with its own data; one SIGTERM ends them all.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

devices=()
for i in {1..64}; do
  echo "this is $i" >"$i.img"
  devices+=(--device "blk=$i.img,serial=$i")
done
truncate -s 1M {1..64}.img
began=$SECONDS
start all "${devices[@]}"
within 90 'word of all disks' devices_there all 64
echo "there after $((SECONDS - began)) s"
equal 'lines' "$(wc -l <all.out)" 64
expect_failure 'a disk without its node' grep -v '^/dev/vd' all.out

declare -A seen=()
for disk in /sys/block/vd*; do
  serial=$(<"$disk/serial") # it has no end of line
  read -r said <"/dev/${disk##*/}"
  equal "what /dev/${disk##*/} says first" "$said" "this is ${serial}"
  seen[$said]=1
done
equal 'disks that are different' ${#seen[@]} 64
expect 'a write to the last' write_directly "/dev/${disk##*/}" 5
expect 'the last is its file' same_content "/dev/${disk##*/}" "${serial}.img"
began=$SECONDS
kill -TERM "${server_pid[all]}"
end all 90
echo "gone after $((SECONDS - began)) s"
equal 'exit status' $status 0
equal 'devices that are left' "$(find /sys/class/vloop -mindepth 1 -maxdepth 1 | wc -l)" 0
