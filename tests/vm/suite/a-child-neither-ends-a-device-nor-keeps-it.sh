#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Descriptors in forked children, in a socket, in another process, or closed by exec: the device lives as long as its server.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_child_that_closes_its_copies_ends_nothing a_child_may_serve_while_its_parent_lives \
  a_child_that_inherited_everything_keeps_nothing exec_ends_the_device a_descriptor_lost_in_a_socket_ends_the_device \
  descriptors_passed_on_end_with_their_server a_device_that_was_never_started_ends_with_its_process
