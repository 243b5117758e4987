#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The kernel knows that it cannot be written, a write fails, and the file stays what it was, even if nobody else guards it.
# vm: --scratch 2G
# timeout: 40
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

random_image disk.img 8
before=$(sha256sum <disk.img)
serve disk --device blk=disk.img,readonly
disk=$(node disk)
equal 'the read-only flag of the disk' "$(cat "/sys/block/${disk##*/}/ro")" 1
expect_failure 'a write' write_directly "$disk" 0
expect_failure 'a buffered write' dd if=/dev/urandom of="$disk" bs=4k count=1 conv=fsync status=none
expect 'a read' read_directly "$disk" 0
expect 'the disk is its file' same_content "$disk" disk.img
stop disk
equal 'the content of the file' "$(sha256sum <disk.img)" "$before"
