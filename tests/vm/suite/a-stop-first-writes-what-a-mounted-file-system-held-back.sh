#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SIGTERM while a file system is mounted and holds data that it has not written: the end is clean, and the data is there.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 64M
serve first --device blk=scratch/disk.img
mkfs.ext4 -q "$(node first)"
mkdir disk
mount "$(node first)" disk
random_image data 4
cp data disk/data
stop first
equal 'requests completed of those taken' "$(statistic first completed)" "$(statistic first taken)"
equal 'errors' "$(statistic first errors)" 0
expect 'umount' timeout 10 umount disk

serve second --device blk=scratch/disk.img
mount "$(node second)" disk
expect 'the data' cmp data disk/data
umount disk
expect 'fsck is clean' check_file_system "$(node second)"
stop second
