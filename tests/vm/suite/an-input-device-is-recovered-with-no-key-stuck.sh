#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 under events, and what changes while nobody serves: after 'vloop recover' the same node, which a reader has kept
# open, comes to the source's state and shows its events. A server that shares its source hands over under events; one that
# grabbed it is not disturbed by the attempt.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

virtual_device mixed
serve server0 --device "input=$source_node" --recoverable
mirrored=$(node server0)
id=$(device_id server0)
evtest "$mirrored" >heard.txt 2>&1 &
reader=$!
within 20 'evtest listens' grep -q '^Testing' heard.txt
for round in 1 2 3; do
  virtual tell 1 57 1 # KEY_SPACE goes down before, and up while nobody serves
  virtual same "$mirrored"
  virtual_begin stream 800
  sleep 0.4
  kill_server server$((round - 1))
  virtual_answer stream
  within 5 'a deserted device' is_in_state "$id" deserted
  virtual tell 1 57 0
  recover "server$round" "$id"
  equal 'the node' "$(node "server$round")" "$mirrored"
  virtual same "$mirrored"
  virtual compare "$mirrored" 500
done
refused "cannot grab $source_node" vloop recover "$id" --take-over
virtual compare "$mirrored" 500
kill_server server3

recover shared "$id" --device "input=$source_node,shared"
virtual_begin stream 3000
sleep 0.4
recover heir "$id" --take-over
end shared 20
equal 'exit status of the old server' "$status" 0
virtual_answer stream
virtual same "$mirrored"
virtual compare "$mirrored" 500
expect 'the reader reads on' kill -0 $reader
kill $reader
expect 'it saw the key go up each time' [ "$(grep -c 'KEY_SPACE), value 0' heard.txt)" -ge 3 ]
equal 'recoveries' "$(cat "/sys/class/vloop/vloop$id/recoveries")" 5
stop heir
unplug_virtual_device
