#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A second answer, one by two threads at the same time, one to a request that nobody fetched, one from before a reset.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_request_is_completed_once two_threads_answer_the_same_request a_request_that_was_not_fetched_cannot_be_answered \
  an_answer_from_before_a_reset_is_refused
