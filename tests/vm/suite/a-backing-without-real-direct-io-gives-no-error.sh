#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# On tmpfs, direct=auto falls back with one line that says why, and direct=on is refused. A file system that does not say
# what is below it, overlay or 9p, gives no error either, whatever it makes of direct I/O.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

random_image memory.img 8
serve tmpfs --device blk=memory.img
equal 'lines about it' "$(grep -c 'buffered I/O' tmpfs.log)" 1
expect 'verified fio' verify_with_fio --filename="$(node tmpfs)" --bsrange=512-64k --size=4M --direct=1 --iodepth=8 --ioengine=libaio
expect 'the disk is its file' same_content "$(node tmpfs)" memory.img
stop tmpfs
start refused --device blk=memory.img,direct=on
end refused 5
equal 'exit status of direct=on' $status 1
equal 'lines about it' "$(wc -l <refused.log)" 1

# The machine's root is an overlay.
overlay=/var/tmp/overlay.img
equal 'file system' "$(findmnt -n -o FSTYPE -T /var/tmp)" overlay
random_image $overlay 8
serve overlay --device blk=$overlay
expect 'verified fio on overlay' verify_with_fio --filename="$(node overlay)" --bsrange=512-64k --size=4M --direct=1 --iodepth=8 \
  --ioengine=libaio
expect 'the disk is its file' same_content "$(node overlay)" $overlay
stop overlay
equal 'errors' "$(statistic overlay errors)" 0

# Any file of the host's: 9p, which is read-only here.
host=/run/vm/host$(readlink -f "$(command -v fio)")
equal 'file system' "$(findmnt -n -o FSTYPE -T "$host")" 9p
start writable --device "blk=$host"
end writable 5
equal 'exit status where only reading is allowed' $status 1
expect 'what to do about it' grep -q readonly writable.log
serve host --device "blk=$host,readonly"
expect 'reading it all' cmp -n "$(blockdev --getsize64 "$(node host)")" "$(node host)" "$host"
stop host
equal 'errors' "$(statistic host errors)" 0
