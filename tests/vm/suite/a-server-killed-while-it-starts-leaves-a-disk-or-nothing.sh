#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 at random moments of the start of 'vloop run', and in the probe of its disk: either there is no device, or the
# next server completes the start, and the partitions are found.
# vm: --scratch 2G
# timeout: 240
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/starting.sh
. "$tree/tests/vm/suite-lib/starting.sh"

starting_rounds 10
