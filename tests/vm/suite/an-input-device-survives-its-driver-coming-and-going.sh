#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The driver of an input device is unbound and bound again under events; each time the new node comes to the source's state
# and shows its events.
# vm: --scratch 2G
# timeout: 150
# shellcheck source=tests/vm/suite-lib/input.sh disable=SC2154
. "$tree/tests/vm/suite-lib/input.sh"

virtual_device mixed
serve mirror --device "input=$source_node"
mirrored=$(node mirror)
virtio=$(input_virtio "$mirrored")
for _ in 1 2 3 4 5 6 7 8 9 10; do
  virtual_begin stream 800
  sleep 0.2
  echo "$virtio" >/sys/bus/virtio/drivers/virtio_input/unbind
  sleep 0.1
  echo "$virtio" >/sys/bus/virtio/drivers/virtio_input/bind
  virtual_answer stream
  within 20 'another node' find_mirrored "$virtio"
  virtual same "$mirrored"
done
virtual compare "$mirrored" 2000
stop mirror
equal 'errors' "$(grep -c ERROR mirror.log || true)" 0
unplug_virtual_device
