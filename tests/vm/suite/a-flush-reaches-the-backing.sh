#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each flush of the disk is one sync in the module's count, and, counted by somebody who knows nothing of vloop, one flush
# of the disk behind it. tests/vm/mutations/ shows that builds that drop flushes fail here.
# debug: yes
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# Requests that told the machine's own disk to empty its cache: Documentation/block/stat.rst.
flushes_of_backing() { awk '{ print $16 }' /sys/block/sda/stat; }

write_and_flush() {
  local i
  for i in $(seq 10); do
    dd if=/dev/urandom of="$1" bs=4k seek="$i" count=1 oflag=direct conv=notrunc,fdatasync status=none
  done
}

equal 'cache of the backing disk' "$(cat /sys/block/sda/queue/write_cache)" 'write back'

serve device --device blk=/dev/sda
equal 'cache of our disk' "$(cat "/sys/block/$(basename "$(node device)")/queue/write_cache")" 'write back'
before=$(flushes_of_backing)
write_and_flush "$(node device)"
at_least 'flushes that a block device got' $(($(flushes_of_backing) - before)) 10
stop device
at_least 'syncs in the statistics' "$(statistic device syncs)" 10

scratch_disk
random_image scratch/disk.img 4
serve file --device blk=scratch/disk.img
before=$(flushes_of_backing)
write_and_flush "$(node file)"
at_least 'flushes that the disk of a file got' $(($(flushes_of_backing) - before)) 10
stop file
at_least 'syncs in the statistics' "$(statistic file syncs)" 10
