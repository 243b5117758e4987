#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The window shows the memory of requests in flight and nothing else: not after their completion, a reset or the end of
# their server, not to others, and by no way to write what is only to be read.
# vm: --scratch 2G
# timeout: 120
# 6.1: yes
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw requests_are_served_in_place a_page_that_is_touched_after_completion_is_a_dummy a_dummy_does_not_hide_the_next_request \
  what_the_device_only_reads_cannot_be_written a_window_mapped_for_reading_stays_so \
  a_call_with_memory_that_is_not_in_flight_fails nothing_pins_the_window windows_of_other_sizes_and_places_are_refused \
  a_window_is_neither_stretched_nor_inherited every_mapping_is_cut_off rules_of_operations_with_a_window \
  a_reset_takes_the_window_away the_next_server_has_the_window_for_itself without_the_right_there_is_no_window
