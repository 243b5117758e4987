#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A device has had two servers: the descriptors of the first, its own or those of its children, do nothing and block nobody.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw an_old_server_cannot_touch_the_next_ones_requests descriptors_left_in_children_block_nobody
