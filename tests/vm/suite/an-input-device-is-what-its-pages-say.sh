#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Config pages become an input device; events go both ways; pages and answers that the input core would trip over are
# refused.
# vm: --scratch 2G
# timeout: 90
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

modprobe -a virtio_input evdev
raw pages_become_an_input_device events_go_both_ways a_buffer_without_a_whole_event_is_no_answer \
  a_queue_that_is_drained_tells_no_event_of_before axes_that_trip_the_input_core_are_refused \
  pages_that_the_driver_does_not_know_are_refused an_input_device_must_look_like_one the_largest_touch_screen_works
