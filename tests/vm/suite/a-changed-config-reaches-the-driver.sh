#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SET_CONFIG: a new size reaches the node, whenever it comes; what would trip the driver is refused and changes nothing.
# vm: --scratch 2G
# timeout: 60
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_new_capacity_reaches_the_node a_change_during_the_probe_is_told_after_it \
  before_the_start_a_change_is_what_the_driver_finds a_living_disk_cannot_take_values_that_trip_its_driver
