#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Events are lost on the way: because nobody reads the source, and because no driver takes them. Both is counted, and
# afterwards every key, switch and axis is as at the source.
# vm: --scratch 2G
# timeout: 120
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

is_stopped() { [[ $(</proc/"$1"/stat) =~ \)\ T ]]; }

virtual_device mixed
serve mirror --device "input=$source_node"
mirrored=$(node mirror)
virtual same "$mirrored"
for _ in 1 2 3; do
  virtual tell 1 57 1 # KEY_SPACE goes down before, and up in the midst of what is lost
  virtual same "$mirrored"
  kill -STOP "${server_pid[mirror]}"
  within 10 'the server has stopped' is_stopped "${server_pid[mirror]}"
  virtual burst 100
  virtual tell 1 57 0
  virtual burst 100
  kill -CONT "${server_pid[mirror]}"
  virtual same "$mirrored"
  virtual compare "$mirrored" 1000
done

# Without a driver.
virtio=$(input_virtio "$mirrored")
virtual tell 1 57 1
virtual same "$mirrored"
echo "$virtio" >/sys/bus/virtio/drivers/virtio_input/unbind
expect 'the node is gone' no_file "$mirrored"
virtual tell 1 57 0
virtual stream 4000
echo "$virtio" >/sys/bus/virtio/drivers/virtio_input/bind
within 20 'another node' find_mirrored "$virtio"
virtual same "$mirrored"
virtual compare "$mirrored" 1000
stop mirror
at_least 'overruns of the source' "$(counted mirror source)" 3
at_least 'reports dropped' "$(counted mirror dropped)" 100
unplug_virtual_device
