# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Servers are killed while they start.
# shellcheck disable=SC2154 # suite_lib, nothing_comes: vloop.sh

# shellcheck source=tests/vm/suite-lib/partitions.sh
. "$suite_lib/partitions.sh"

# The device that there is; empty if there is none.
device_there() {
  local folder
  for folder in /sys/class/vloop/vloop*; do
    [ ! -e "$folder" ] || echo "${folder##*/vloop}"
  done
}

# Its state, without starting a process.
look_at_state() {
  local file
  seen=none
  for file in /sys/class/vloop/vloop*/state; do
    read -r seen 2>/dev/null <"$file" || seen=none
  done
}

# until_starting: returns at once when the device is being registered; it is bounded by the end of the start.
until_starting() {
  local deadline=$(($(milliseconds) + 20000 * ${time_factor:-1}))
  seen=none
  until [ "$seen" = starting ] || [ "$seen" = live ]; do
    look_at_state
    [ $((${EPOCHREALTIME/./} / 1000)) -lt $deadline ] || fail 'the device does not start'
  done
}

# A device that was not started goes with its server; nothing in between may last.
is_settled() {
  look_at_state
  [ "$seen" = none ] || [ "$seen" = deserted ]
}

# The last that a probe does is to look for them.
has_partitions() { compgen -G '/sys/block/vd*/vd*1' >/dev/null; }

# starting_rounds N: every second one in the probe.
starting_rounds() {
  local rounds=$1 round name moment id takes begin left=0 unready=0
  scratch_disk
  image scratch/disk.img 16M
  make_partitions scratch/disk.img 2048+8192 16384+8192
  begin=$(milliseconds)
  serve whole --device blk=scratch/disk.img --recoverable
  takes=$(($(milliseconds) - begin))
  stop whole
  for ((round = 1; round <= rounds; round++)); do
    name=killed$round
    moment=$((RANDOM % takes))
    start "$name" --device blk=scratch/disk.img,queues=2 --recoverable
    if [ $((round % 2)) = 0 ]; then
      until_starting
    else
      read -rt "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))" -u "$nothing_comes" || true
    fi
    kill_server "$name"
    within 10 'a device that is deserted, or none' is_settled
    id=$(device_there)
    [ -n "$id" ] || continue
    left=$((left + 1))
    has_partitions || unready=$((unready + 1))
    recover "next$round" "$id"
    within 10 'the partitions' test -b "$(node "next$round")1" -a -b "$(node "next$round")2"
    expect 'a write' write_directly "$(node "next$round")" 3
    expect 'the disk is its file' same_content "$(node "next$round")" scratch/disk.img
    stop "next$round"
    equal 'errors' "$(statistic "next$round" errors)" 0
    equal 'devices in the end' "$(device_there)" ''
  done
  echo "of $rounds servers killed within $takes ms, $left left a device, $unready of them in its probe"
  at_least 'devices that were left in their probe' $unready 1
}
