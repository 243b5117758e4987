#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As a-server-killed-while-it-starts-leaves-a-disk-or-nothing.sh.
# vm: --scratch 2G
# timeout: 1800
# when: full
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/starting.sh
. "$tree/tests/vm/suite-lib/starting.sh"

starting_rounds 100
