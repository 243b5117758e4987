#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a disk says of itself, where not the driver but the block layer behind it would trip; and the least that is accepted
# works.
# vm: --scratch 2G
# timeout: 60
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw sizes_that_trip_the_block_layer_are_refused two_segments_are_enough_for_any_block
