#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reads of a queue that are cancelled (while io_uring polls, or waits in a worker), interrupted, or go to memory that is not
# there, at the moment at which requests arrive.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw polls_that_are_cancelled_lose_no_request workers_that_are_cancelled_lose_no_request \
  reads_that_are_interrupted_lose_no_request a_read_into_missing_memory_loses_no_request
