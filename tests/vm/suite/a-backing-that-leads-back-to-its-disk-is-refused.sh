#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The disk's own partition, a file on it, one below an overlay on it, a chain of vloop disks that ends at it: all refused,
# also when two servers tie their disks at once.
# vm: --scratch 2G
# timeout: 90
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

modprobe -a ext4 overlay
raw a_file_on_the_own_disk_is_refused a_file_of_an_overlay_on_the_own_disk_is_refused \
  a_partition_of_the_own_disk_is_refused a_chain_of_disks_that_ends_where_it_began_is_refused \
  two_that_tie_at_once_make_no_loop
