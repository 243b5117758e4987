#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same for a quarter of an hour; meant for the debug kernel.
# vm: --scratch 2G
# timeout: 1100
# when: full
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

stress --seconds 900
