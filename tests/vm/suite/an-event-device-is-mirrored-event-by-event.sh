#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What evtest shows of the source, it shows of its mirror; 100,000 events arrive complete and in order, with another reader
# that never reads; an LED comes back; and nothing happens when nothing happens.
# vm: --scratch 2G
# timeout: 240
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

# What evtest says before the first event. It says it at once, and goes on until it is stopped.
capabilities() {
  local limit=$((${EPOCHREALTIME/./} + 20000000))
  evtest "$1" >evtest.out 2>&1 &
  until grep -q '^Testing' evtest.out; do
    [ ${EPOCHREALTIME/./} -lt $limit ] || fail "evtest says nothing of $1"
    pause
  done
  kill %evtest
  wait %evtest || true
  sed '/^Testing/,$d' evtest.out
}

# The processor time that the server has used, in hundredths of a second.
ticks() { awk '{ print $14 + $15 }' "/proc/${server_pid[mirror]}/stat"; }

virtual_device mixed
virtual tell 1 30 1 # KEY_A is held
capabilities "$source_node" >source.txt
virtual tell 1 30 0
virtual tell 1 31 1 # and now KEY_S, while vloop starts: it waits a second for it, not longer
serve mirror --device "input=$source_node"
mirrored=$(node mirror)
virtual same "$mirrored"
virtual tell 1 31 0
virtual tell 1 30 1
virtual same "$mirrored"
capabilities "$mirrored" >mirror.txt
expect 'the source has what it should have' grep -q 'REL_WHEEL' source.txt
expect 'evtest shows the same of both' diff source.txt mirror.txt
virtual tell 1 30 0

evtest "$mirrored" >heard.txt 2>&1 &
within 20 'evtest listens' grep -q '^Testing' heard.txt
# shellcheck disable=SC2217 # that is the point
sleep 1000 <"$mirrored" & # a reader that never reads
stuck=$!
virtual tell 1 48 1 # KEY_B
virtual tell 1 48 0
virtual tell 2 0 -5
virtual tell 3 0 77
within 20 'the last event' grep -q 'ABS_X), value 77' heard.txt
kill %evtest
wait %evtest || true
sed -n 's/.*type [0-9]* (\(.*\)), code [0-9]* (\(.*\)), value \(.*\)/\1 \2 \3/p' heard.txt | grep '^EV_' >events.txt
printf '%s\n' 'EV_KEY KEY_B 1' 'EV_KEY KEY_B 0' 'EV_REL REL_X -5' 'EV_ABS ABS_X 77' >expected.txt
expect 'evtest shows the events that were told' diff expected.txt events.txt
equal 'ends of reports' "$(grep -c SYN_REPORT heard.txt)" 4

virtual compare "$mirrored" 100000
at_least 'events compared' "$answer" 100000
virtual same "$mirrored"
kill $stuck

virtual light "$mirrored" 1 1 # LED_CAPSL
virtual light "$mirrored" 0 1
virtual light "$mirrored" 1 0

before=$(ticks)
sleep 3
at_most 'hundredths of a second used in 3 s without an event' $(($(ticks) - before)) 1
stop mirror
equal 'reports dropped' "$(counted mirror dropped)" 0
equal 'overruns of the source' "$(counted mirror source)" 0
equal 'LEDs passed on' "$(counted mirror on)" 3
unplug_virtual_device
