#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same as disks-come-and-go-a-hundred-times-by-four-processes, with 3,000 rounds.
# vm: --scratch 2G
# timeout: 1800
# when: full
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

expect 'rounds of one process' "$(raw_program vloop-churn)" 3000 1
expect 'rounds of four processes' "$(raw_program vloop-churn)" 3000 4
