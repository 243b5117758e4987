#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Classes that are not on the list cannot be made; ATTACH and STOP of the devices of other users are refused, by whatever
# detour the descriptor comes.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

chmod 666 /dev/vloop
raw unknown_classes_are_refused other_users_may_not_decide everybody_may_decide_over_their_own
