#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A file system on the disk survives verified random I/O. Of block size x direct x depth x queues, every pair of values
# occurs, and the whole of what matters most (4k at depth 32); disk-keeps-... -full.sh runs every combination.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/verified_disk.sh
. "$tree/tests/vm/suite-lib/verified_disk.sh"

scratch_disk

begin_verified_disk 1
verify_on_disk --bs=4k --size=6M --direct=1 --iodepth=1
verify_on_disk --bs=4k --size=6M --direct=1 --iodepth=32
verify_on_disk --bs=64k --size=16M --direct=0 --iodepth=1
verify_on_disk --bsrange=512-1M --size=16M --direct=0 --iodepth=32
end_verified_disk

begin_verified_disk 4
verify_on_disk --bs=4k --size=6M --direct=0 --iodepth=32
verify_on_disk --bs=64k --size=16M --direct=1 --iodepth=32
verify_on_disk --bsrange=512-1M --size=16M --direct=1 --iodepth=1
verify_on_disk --bsrange=512-1M --size=16M --direct=1 --iodepth=32
end_verified_disk
