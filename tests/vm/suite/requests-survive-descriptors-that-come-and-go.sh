#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Descriptors that are closed, opened again or lost to exec, a server that stands still, and one of which a thread waits for
# the disk itself: each request is answered once, as docs/abi.md says.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw exec_leaves_a_recoverable_disk_to_the_next_server the_last_close_of_the_device_ends_the_disk \
  a_queue_that_is_opened_again_tells_its_requests_again a_stopped_server_delays_its_requests_and_goes_on \
  a_thread_that_syncs_its_own_disk_does_not_hold_a_killed_server a_thread_that_maps_its_own_disk_does_not_hold_a_killed_server
