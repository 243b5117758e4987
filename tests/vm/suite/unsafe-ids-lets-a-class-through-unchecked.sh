#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# unsafe_ids: the ids that it names are accepted without a check, the kernel's log says so, and all others are refused as
# before.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

expect 'rmmod' rmmod vloop
modprobe vloop unsafe_ids=3,40
equal 'the parameter' "$(cat /sys/module/vloop/parameters/unsafe_ids)" 3,40
raw classes_named_by_unsafe_ids_are_accepted features_that_nobody_checks_are_refused
at_least 'lines of the log' "$(dmesg | grep -c 'device id 3 is not checked (module parameter unsafe_ids)')" 1
