#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A backing file that is truncated, replaced or taken away while requests use it.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw a_file_that_ends_too_early_fails_the_read a_file_may_be_taken_away_at_any_time \
  a_file_that_shrinks_under_transfers_gives_data_or_errors
