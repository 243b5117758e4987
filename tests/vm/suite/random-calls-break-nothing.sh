#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A minute of hostile processes that call the module in every way and order while others use their devices: every device
# ends, everybody gets an answer, and the module can be unloaded.
# vm: --scratch 2G
# timeout: 200
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

stress --seconds 60
