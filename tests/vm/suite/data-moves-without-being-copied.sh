#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The module counts what it moved between request and file, and what it copied through the process: nothing is copied.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

megabyte=$((1024 * 1024))
scratch_disk
random_image scratch/disk.img 16

serve reads --device blk=scratch/disk.img
dd if="$(node reads)" of=/dev/null bs=1M count=12 iflag=direct status=none
stop reads
at_least 'bytes moved by reading' "$(statistic reads moved)" $((12 * megabyte))
equal 'bytes copied by reading' "$(statistic reads copied)" 0

serve writes --device blk=scratch/disk.img
dd if=/dev/urandom of="$(node writes)" bs=1M count=12 oflag=direct status=none
stop writes
at_least 'bytes moved by writing' "$(statistic writes moved)" $((12 * megabyte))
equal 'bytes copied by writing' "$(statistic writes copied)" 0
