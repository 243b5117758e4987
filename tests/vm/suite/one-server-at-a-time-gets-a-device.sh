#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ATTACH by many at the same time, take-overs that wait, arguments that make no sense, and the period of grace.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw one_of_many_attaches_wins a_take_over_that_waits_ends_with_its_reason arguments_that_make_no_sense_are_refused \
  requests_wait_for_the_period_of_grace_and_no_longer
