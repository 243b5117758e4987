#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 and 'vloop recover' under fio on a mounted file system, ten times, at random moments and at chosen ones: again
# while the next server starts, has just attached or has just answered. No I/O fails, no block is lost.
# vm: --scratch 2G
# timeout: 300
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/recovery.sh
. "$tree/tests/vm/suite-lib/recovery.sh"

scratch_disk
image scratch/disk.img 64M
serve_rounds scratch/disk.img
kill_rounds --rounds 10
end_rounds scratch/disk.img
