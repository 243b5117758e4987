#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# As a-killed-server-loses-nothing-under-verified-fio.sh.
# vm: --scratch 2G
# timeout: 1500
# when: full
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/recovery.sh
. "$tree/tests/vm/suite-lib/recovery.sh"

scratch_disk
image scratch/disk.img 64M
serve_rounds scratch/disk.img
kill_rounds --rounds 100
end_rounds scratch/disk.img
