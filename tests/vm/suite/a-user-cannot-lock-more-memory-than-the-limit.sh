#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What devices keep in memory counts against RLIMIT_MEMLOCK of the user who opened /dev/vloop, and is given back.
# vm: --scratch 2G
# timeout: 60
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

chmod 666 /dev/vloop
raw a_user_cannot_lock_more_memory_than_the_limit who_may_lock_memory_has_no_limit
