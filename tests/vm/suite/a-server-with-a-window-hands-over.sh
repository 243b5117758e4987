#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: a new process takes a disk over from a running one, three times, while fio writes and checks.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/hand_over.sh
. "$tree/tests/vm/suite-lib/hand_over.sh"

hand_over_rounds 3 ,access=window
