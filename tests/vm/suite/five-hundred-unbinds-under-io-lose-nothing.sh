#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same as fifty-unbinds-under-io-lose-nothing, 500 times.
# vm: --scratch 2G
# timeout: 1200
# when: full
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/rebinding.sh
. "$tree/tests/vm/suite-lib/rebinding.sh"

rebind_under_load 500
