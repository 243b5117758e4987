#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The pages that a process can map: not by mmap, mprotect, mremap, a debugger or the kernel on its behalf can they be written.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw mappings_that_ask_for_more_are_refused mappings_stay_read_only mappings_cannot_be_written_by_force \
  mappings_cannot_be_stretched mappings_outlive_their_device
