#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 under fio on a mounted file system: fio fails within 5 s, the disk goes, nothing is stuck, and a new server goes
# on from what had been written.
# debug: yes
# vm: --scratch 2G
# timeout: 90
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# Writes that the disk has ended, and that are under way.
writes() { awk '{ print $5 + $9 }' "/sys/block/${disk##*/}/stat"; }
more_writes_than() { [ "$(writes)" -gt "$1" ]; }

scratch_disk
image scratch/disk.img 64M
serve first --device blk=scratch/disk.img,queues=2
disk=$(node first)
mkfs.ext4 -q "$disk"
mkdir disk
mount "$disk" disk
echo kept >disk/before
truncate -s 16M disk/fio disk/fio2
sync
written=$(writes)

fio --name=job --filename=disk/fio --rw=randwrite --bs=4k --size=16M --direct=1 --iodepth=32 --ioengine=libaio \
  --time_based --runtime=60 --output=fio.out &
direct=$!
fio --name=job --filename=disk/fio2 --rw=randwrite --bs=64k --size=16M --fsync=8 --ioengine=psync --time_based --runtime=60 \
  --output=fio2.out &
buffered=$!
within 20 'fio is at work' more_writes_than $((written + 300))
sleep 0.5
expect 'both are at work' kill -0 $direct $buffered

killed=$(milliseconds)
kill -KILL "${server_pid[first]}"
end first 5
within 5 'the end of direct fio' has_ended $direct
within 5 'the end of buffered fio' has_ended $buffered
at_most 'milliseconds until fio had ended' $(($(milliseconds) - killed)) $((5000 * ${time_factor:-1}))
expect_failure 'direct fio' wait $direct
expect_failure 'buffered fio' wait $buffered
within 5 'the disk is gone' no_file "/sys/block/${disk##*/}"
expect 'umount' timeout 10 umount disk
unload

modprobe vloop
serve second --device blk=scratch/disk.img,queues=2
mount "$(node second)" disk
equal 'what had been written before' "$(cat disk/before)" kept
expect 'verified fio on the new disk' verify_with_fio --filename=disk/fio --bs=4k --size=2M --direct=1 --iodepth=32 \
  --ioengine=libaio
umount disk
expect 'fsck is clean' check_file_system "$(node second)"
stop second
