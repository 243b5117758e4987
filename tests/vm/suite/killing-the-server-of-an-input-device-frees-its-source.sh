#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 under events: the mirror goes, its source is free again, and a new server mirrors it as before. A source that is
# unplugged ends its server with a line that says so.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

virtual_device mixed
for round in 1 2 3; do
  serve "mirror$round" --device "input=$source_node"
  mirrored=$(node "mirror$round")
  virtual same "$mirrored"
  start second --device "input=$source_node"
  end second 20
  equal 'status of a second server of the same source' $status 1
  expect 'it says why' grep -q "cannot grab $source_node: Device or resource busy" second.log
  virtual_begin stream 1500
  sleep 0.5
  kill -KILL "${server_pid[mirror$round]}"
  end "mirror$round" 10
  within 10 'the mirror has gone' no_file "$mirrored"
  virtual_answer stream
done

serve last --device "input=$source_node"
virtual same "$(node last)"
virtual compare "$(node last)" 1000
unplug_virtual_device
end last 20
equal 'status' $status 1
expect 'it says that the source is gone' grep -q "^vloop: cannot read $source_node: No such device (was it unplugged?)" last.log
