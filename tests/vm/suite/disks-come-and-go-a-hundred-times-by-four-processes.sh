#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Disks are created, read and removed, in each way that ends one, by a single process and by four at once.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

expect 'rounds of one process' "$(raw_program vloop-churn)" 100 1
expect 'rounds of four processes' "$(raw_program vloop-churn)" 100 4
