#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 'vloop stop': a living server removes its device in order, writes what is held back first, and goes on with its others;
# a deserted device goes at once.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 64M
image scratch/other.img 8M
serve two --device blk=scratch/disk.img --device blk=scratch/other.img
disk=$(node_of two disk.img)
id=$(device_id two)
mkfs.ext4 -q "$disk"
mkdir disk
mount "$disk" disk
random_image data 4
cp data disk/data
equal 'what it says' "$(vloop stop "vloop$id" 2>&1)" "vloop$id is gone"
expect 'the node is gone' no_file "$disk"
expect 'umount' timeout 10 umount disk
expect 'the log says who asked' grep -q 'another process asks for its removal' two.log
expect 'the other disk is served' write_directly "$(node_of two other.img)" 3
refused "there is no\\|cannot stop vloop$id" vloop stop "$id"
expect 'the other one too' vloop stop "$(device_id two 2)"
end two 5
equal 'exit status of a server whose devices were stopped' $status 0
equal 'errors' "$(statistic two errors)" 0

serve again --device blk=scratch/disk.img --recoverable
mount "$(node again)" disk
expect 'the data' cmp data disk/data
umount disk
expect 'fsck is clean' check_file_system "$(node again)"
id=$(device_id again)
kill_server again
write_directly "$(node again)" 3 2>dd.err &
writer=$!
within 5 'a write that waits' is_busy "$(node again)" 1
before=$(milliseconds)
expect 'a deserted device is stopped' vloop stop "$id"
at_most 'milliseconds that it took' $(($(milliseconds) - before)) $((3000 * ${time_factor:-1}))
expect_failure 'the write that waited' wait $writer
expect 'the disk is gone' no_file "$(node again)"
refused "vloop$id.*vloop list" vloop stop "$id"
