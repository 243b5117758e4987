#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The driver is unbound and bound again under a load of eight threads: what was cut off failed, what was written is there.
# vm: --scratch 2G
# timeout: 150
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/rebinding.sh
. "$tree/tests/vm/suite-lib/rebinding.sh"

rebind_under_load 50
