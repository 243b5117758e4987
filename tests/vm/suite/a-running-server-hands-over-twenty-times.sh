#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As a-running-server-hands-over-under-verified-fio.sh.
# vm: --scratch 2G
# timeout: 600
# when: full
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/hand_over.sh
. "$tree/tests/vm/suite-lib/hand_over.sh"

hand_over_rounds 20
