#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every combination of block size, direct, depth and queues; see disk-keeps-what-verified-fio-wrote.sh.
# vm: --scratch 2G
# timeout: 900
# when: full
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/verified_disk.sh
. "$tree/tests/vm/suite-lib/verified_disk.sh"

scratch_disk
for queues in 1 4; do
  begin_verified_disk $queues
  for direct in 0 1; do
    for depth in 1 32; do
      for size in --bs=4k --bs=64k --bsrange=512-1M; do
        verify_on_disk $size --size=16M --direct=$direct --iodepth=$depth
      done
    done
  done
  end_verified_disk
done
