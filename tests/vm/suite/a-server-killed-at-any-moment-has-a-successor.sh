#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Killed when it has just started its device, in the probe, again before the next has answered, with operations and a flush
# under way: the next server goes on, and each request has the answer that the policy promises.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw killed_when_it_had_just_started killed_in_the_middle_of_the_probe killed_in_the_middle_of_the_probe_and_stopped \
  killed_again_and_again_before_it_answers detached_operations_end_without_their_server \
  a_flush_under_way_ends_without_its_server a_sync_that_failed_is_not_tried_again \
  queue_answers_what_the_server_had_and_keeps_the_rest reissue_keeps_everything \
  fail_fast_answers_everything_until_a_server_comes
