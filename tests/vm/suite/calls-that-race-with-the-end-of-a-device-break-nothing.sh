#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every kind of call, from several threads, while a device starts and is removed, stopped or given up; and what is left when
# it has gone.
# debug: yes
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_device_that_is_removed_while_it_is_used a_device_that_is_stopped_while_it_is_used \
  a_device_that_is_given_up_while_it_is_used a_queue_that_is_left_over_keeps_its_memory
