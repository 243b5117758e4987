#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reads parked in io_uring, threads in read and poll, threads that wait for the very disk: the process ends at once, the
# device soon after.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_process_with_reads_in_io_uring_can_be_killed a_process_with_threads_in_read_and_poll_can_be_killed \
  a_process_that_waits_for_its_own_disk_can_be_killed a_process_that_copies_to_its_own_disk_can_be_killed
