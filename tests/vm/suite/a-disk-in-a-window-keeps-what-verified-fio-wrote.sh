#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: a file system on a disk whose data is moved in the driver's own pages survives verified random I/O, and
# no byte goes through the module's mover.
# vm: --scratch 2G
# timeout: 180
# 6.1: yes
# debug: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/verified_disk.sh
. "$tree/tests/vm/suite-lib/verified_disk.sh"

access() { cat "/sys/class/vloop/vloop$(device_id disk)/access"; }

scratch_disk
begin_verified_disk 1 ,access=window
equal 'how it is served' "$(access)" window
verify_on_disk --bs=4k --size=6M --direct=1 --iodepth=32
verify_on_disk --bsrange=512-1M --size=16M --direct=1 --iodepth=8
verify_on_disk --bsrange=512-1M --size=16M --direct=0 --iodepth=32
end_verified_disk
expect 'the log says why I/O is buffered' grep -q 'buffered I/O: access=window' disk.log
equal 'bytes that the module copied' "$(statistic disk copied)" 0

begin_verified_disk 2 ,access=window
verify_on_disk --bs=4k --size=6M --direct=1 --iodepth=32
end_verified_disk
