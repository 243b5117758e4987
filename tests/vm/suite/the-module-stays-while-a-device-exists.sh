#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rmmod is refused, says so, and does no harm.
# vm: --scratch 2G
# timeout: 40
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

image disk.img 8M
serve disk --device blk=disk.img
expect_failure 'rmmod' rmmod vloop 2>error
expect 'rmmod says why' grep -q 'in use' error
expect 'a write' write_directly "$(node disk)" 5
expect 'the disk is its file' same_content "$(node disk)" disk.img
stop disk
