#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each command that docs/input.md shows does what the page says of it.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

sudo() { "$@"; } # we are root; the commands replace their shell below
export -f sudo

# block N: the Nth block of the page, whatever its language.
block() {
  awk -v wanted="$1" '/^```/ { inside = !inside; count += inside; next } inside && count == wanted' "$tree/docs/input.md"
}

# printed NAME: a vloop is there, which was started by what the page says; sets 'node'.
printed() {
  within 20 "a node of $1" has_lines "$1.out" 1
  node=$(node "$1")
  expect "$node is an event device" test -c "$node"
}

# follow NODE: evtest listens, its output in heard.txt.
follow() {
  evtest "$1" >heard.txt 2>&1 &
  within 20 "evtest listens to $1" grep -q '^Testing' heard.txt
}
heard() { grep -q "$1" heard.txt; }

# finish_example NAME: as Ctrl-C does.
finish_example() {
  kill %evtest 2>/dev/null || true
  pkill -TERM -x vloop
  end "$1" 20
  equal "exit status of $1" "$status" 0
}

begin mouse bash -c "$(block 1)"
printed mouse
equal 'what is printed' "$(cat mouse.out)" "$node input synthetic:mouse"
follow "$node"
within 20 'movements' heard 'EV_REL'
finish_example mouse

until [ -e /dev/input/event3 ]; do
  rm -f virtual.*
  virtual_device mixed
done
equal 'the node that the page has' "$source_node" /dev/input/event3
begin mirror bash -c "$(block 2)"
printed mirror
virtual same "$node"
virtual compare "$node" 200
finish_example mirror

block 3 >recording
# Its second step comes a second after the first, on a busy machine later.
for seconds in 2 5 15; do
  begin recording bash -c "$(block 4)"
  printed recording
  expect 'it has the name' grep -q 'A recorded mouse' "/sys/class/input/${node##*/}/device/name"
  sleep $seconds
  finish_example recording
  if grep -q 'reports told 2 (4 events, 0 made up), dropped 0' recording.log; then break; fi
done
expect 'two steps were told' grep -q 'reports told 2 ' recording.log

# The last line of the example tells the events: a reader should be there.
begin pipe bash -c "$(block 5 | sed '$d')"$'\nwait'
printed pipe
follow "$node"
bash -c "$(block 5 | tail -n 1)"
within 20 'the key goes down' heard 'KEY_A), value 1'
within 20 'the key goes up' heard 'KEY_A), value 0'
finish_example pipe
