#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 under a mounted file system: its disk stays, its requests wait, and 'vloop recover' goes on with them, from any
# folder and without being told what the disk is. A second recovery does the same; SIGTERM removes the disk as ever.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 64M
serve first --device blk=scratch/disk.img,queues=2,serial=kept --recoverable --threads 2
disk=$(node first)
id=$(device_id first)
mkfs.ext4 -q "$disk"
mkdir disk
mount "$disk" disk
random_image data 8
cp data disk/before
sync

kill_server first
within 2 'a deserted disk' is_in_state "$id" deserted
# Copying may wait too: for a commit that has begun, or for a block that says what is free.
{ cp data disk/meanwhile && timeout 60 sync disk/meanwhile; } &
waiting=$!
within 10 'a request that waits' is_busy "$disk" 1
sleep 0.3
expect 'it still waits' kill -0 $waiting

mkdir elsewhere
python3 "$suite_lib/service_manager.py" manager.sock >told &
manager=$!
within 20 'the socket of the service manager' test -S manager.sock
cd elsewhere
NOTIFY_SOCKET=$OLDPWD/manager.sock recover second "vloop$id" --json
cd ..
expect 'the write that waited' wait $waiting
within 20 'a message to the service manager' has_lines told 1
kill $manager
equal 'the message' "$(cat told)" 'READY=1'
expect 'the line on standard output' grep -qF "{\"device\":\"blk\",\"path\":\"$PWD/scratch/disk.img\",\"id\":\"vloop$id\"," \
  elsewhere/second.out
expect 'the node is the same' grep -qF "\"node\":\"$disk\"" elsewhere/second.out
expect 'the log says how long it took' grep -q 'first request completed .* ms after ATTACH' elsewhere/second.log
equal 'recoveries' "$(cat "/sys/class/vloop/vloop$id/recoveries")" 1
equal 'the serial number' "$(cat "/sys/block/${disk##*/}/serial")" kept
equal 'worker threads' "$(find "/proc/${server_pid[second]}/task" -maxdepth 2 -name comm -exec cat {} + | grep -c '^vloop-')" 2
expect 'the data that was written while nobody served' cmp data disk/meanwhile

cd elsewhere
kill_server second
cd ..
recover third "$id"
cp data disk/after
sync
equal 'recoveries' "$(cat "/sys/class/vloop/vloop$id/recoveries")" 2
umount disk
expect 'fsck is clean' check_file_system "$disk"
mount "$disk" disk
for file in before meanwhile after; do expect "$file" cmp data disk/$file; done
umount disk
stop third
expect 'the disk is gone' device_gone "$id"
equal 'errors' "$(statistic third errors)" 0
