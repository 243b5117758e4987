#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Threads touch the window while requests come and go: what has been given back is never changed by them.
# vm: --scratch 2G --smp 4
# timeout: 120
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw touching_races_with_completion
