#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Lengths, offsets, heads, indices and addresses that are out of range or get there by wrapping: each is refused, nothing of
# it is done, and the request can still be answered.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw ranges_of_an_operation heads_and_files_that_are_not_there calls_on_a_device numbers_of_a_new_device \
  addresses_of_a_new_device offsets_of_mappings reads_behind_the_config_space
