#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: kill -9 and 'vloop recover' under fio on a mounted file system, and hand-overs to a new process. No I/O
# fails, and no page that is taken away from a dying server ends up in the file as zeroes.
# vm: --scratch 2G
# timeout: 300
# debug: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/recovery.sh
. "$tree/tests/vm/suite-lib/recovery.sh"

scratch_disk
image scratch/disk.img 64M
serve_rounds scratch/disk.img ,access=window
kill_rounds --rounds 10 --moments any,flush,twice,attached,starting
end_rounds scratch/disk.img
