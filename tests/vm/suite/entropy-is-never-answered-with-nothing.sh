#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The driver would not ask again: an empty answer stays with the process, which can still give a good one.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw entropy_is_never_answered_with_nothing
