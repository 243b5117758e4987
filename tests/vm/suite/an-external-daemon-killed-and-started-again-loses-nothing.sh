#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# With reconnect= the daemon is killed ten times under verified fio and started again: no request fails, nothing is lost,
# and in the end the file system is clean. A daemon that stays away ends the device when its time is over.
# vm: --scratch 2G
# timeout: 600
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/external_daemon.sh
. "$tree/tests/vm/suite-lib/external_daemon.sh"

back_so_often() { [ "$(grep -c 'the daemon is back' disk.log)" -ge "$1" ]; }

scratch_disk
image scratch/disk.img 64M
start_daemon ext scratch/disk.img num-queues=2
serve disk --device vhost-user=ext.sock,reconnect=30 --threads 2
node=$(node disk)
mkfs.ext4 -q -F "$node"
mkdir disk
mount "$node" disk
# Passes of writing and checking, until the rounds are over; one that finds an error ends it.
verify_until_enough() {
  until [ -e enough ]; do
    verify_with_fio --filename=disk/fio --size=8M --bsrange=4k-128k --iodepth=16 --direct=1 --ioengine=libaio
  done
}
verify_until_enough >fio.err 2>&1 &
load=$!
for round in 1 2 3 4 5 6 7 8 9 10; do
  within 60 "load in round $round" is_busy "$node" 4
  kill_daemon ext
  has_ended "${server_pid[disk]}" && fail "vloop ended in round $round"
  start_daemon ext scratch/disk.img num-queues=2
  within 60 "the daemon is back in round $round" back_so_often "$round"
  has_ended $load && fail "fio ended in round $round: $(cat fio.err fio.out)"
done
touch enough
within 240 'the last pass of fio' has_ended $load
expect 'fio found no error' wait $load
expect 'verified fio after all rounds' verify_with_fio --filename=disk/fio2 --size=8M --bs=16k --iodepth=8 --direct=1 \
  --ioengine=libaio
umount disk
expect 'fsck of the disk is clean' check_file_system "$node"
expect "the disk's content is the daemon's file" same_content "$node" scratch/disk.img
equal 'I/O errors that the kernel saw' "$(dmesg | grep -c 'I/O error, dev vd' || true)" 0
stop disk
equal 'errors' "$(statistic disk errors)" 0
kill_daemon ext

start_daemon ext scratch/disk.img
serve disk --device vhost-user=ext.sock,reconnect=2
kill_daemon ext
end disk 20
equal 'exit status when the daemon stays away' $status 1
equal 'lines that say why' "$(grep -c '^vloop: .*did not come back within 2 s' disk.log)" 1
