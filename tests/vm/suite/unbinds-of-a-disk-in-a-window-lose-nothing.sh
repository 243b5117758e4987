#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: the driver is unbound and bound again under a load of four threads, while its pages are being moved.
# vm: --scratch 2G
# timeout: 150
# debug: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/rebinding.sh
. "$tree/tests/vm/suite-lib/rebinding.sh"

rebind_under_load 10 ,access=window
