#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A synthetic mouse and keyboard, a recording and a pipe, side by side in one process: evtest shows what each has to tell.
# A touch screen and a keyboard are mirrored with all that they can.
# vm: --scratch 2G
# timeout: 240
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

listen() { # NODE FILE
  evtest "$1" >"$2" 2>&1 &
  listeners+=($!)
  within 30 "evtest listens to $1" grep -q '^Testing' "$2"
}
events() { sed -n 's/.*type [0-9]* (\(.*\)), code [0-9]* (\(.*\)), value \(.*\)/\1 \2 \3/p' "$1" | grep '^EV_'; }
has_events() { [ "$(grep -c ' value ' "$1")" -ge "$2" ]; }
node_of() { awk -v label="$1" '$0 ~ label { print $1 }' all.out; }

mkfifo pipe
exec {into_pipe}<>pipe
printf '%s\n' 'N: A pipe' 'B: 01 00 00 00 40 00 00 00 00' '' >&"$into_pipe"
{
  printf '%s\n' 'N: A recording' 'I: 0003 1209 0002 0003' 'B: 02 03 00 00 00 00 00 00 00'
  for i in {1..500}; do printf 'E: %d.%02d0000 0002 0000 %d\nE: 0 0000 0000 0\n' $((i / 100)) $((i % 100)) "$i"; done
} >recording
listeners=()
serve all --device input=synthetic:mouse,rate=200 --device input=synthetic:keyboard,rate=50 \
  --device input=events:pipe --device input=events:recording
equal 'nodes' "$(awk '$1 ~ "^/dev/input/event" && $2 == "input"' all.out | wc -l)" 4
listen "$(node_of synthetic:mouse)" mouse.txt
listen "$(node_of synthetic:keyboard)" keyboard.txt
listen "$(node_of events:pipe)" pipe.txt
# A reader has room for 64 events, and may not run for a while.
for _ in {1..10}; do printf '%s\n' 'E: 0 0001 001e 1' 'E: 0 0000 0000 0' 'E: 0 0001 001e 0' 'E: 0 0000 0000 0' >&"$into_pipe"; done
within 30 'movements of the mouse' has_events mouse.txt 300
within 30 'keys' has_events keyboard.txt 60
within 30 'events of the pipe' has_events pipe.txt 20
kill "${listeners[@]}"
wait "${listeners[@]}" || true
expect 'the mouse moves right and down' grep -q 'EV_REL REL_Y 1' <(events mouse.txt)
equal 'what the pipe told' "$(events pipe.txt | sort | uniq -c | awk '{ print $1, $3, $4 }' | tr '\n' ' ')" '10 KEY_A 0 10 KEY_A 1 '
expect 'the recording has the name in its head' grep -q 'A recording' \
  "/sys/class/input/$(basename "$(node_of events:recording)")/device/name"
stop all
# The mouse may have told more than can wait while its driver went away: on a busy machine that takes seconds.
at_least 'sources of which nothing was dropped' "$(grep -c 'dropped 0,' all.log)" 3

# Mirrors with other abilities.
capabilities() {
  evtest "$1" >evtest.out 2>&1 &
  within 20 "evtest on $1" grep -q '^Testing' evtest.out
  kill %evtest
  wait %evtest || true
  sed '/^Testing/,$d' evtest.out
}
for kind in keyboard touch; do
  rm -f virtual.*
  virtual_device $kind
  serve $kind --device "input=$source_node,shared"
  [ $kind = keyboard ] || virtual fingers
  virtual same "$(node $kind)"
  capabilities "$source_node" >source.txt
  capabilities "$(node $kind)" >mirror.txt
  expect "evtest shows the same $kind twice" diff source.txt mirror.txt
  stop $kind
  unplug_virtual_device
done
expect 'fingers were compared' grep -q ABS_MT_POSITION_X mirror.txt
