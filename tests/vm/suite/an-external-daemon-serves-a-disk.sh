#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# qemu-storage-daemon's vhost-user-blk export behind this kernel's virtio_blk: a file system, verified fio, and in the end
# the disk and the daemon's file are the same. The stages are in the log; the end is clean, and can be followed by another.
# vm: --scratch 2G
# timeout: 300
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/external_daemon.sh
. "$tree/tests/vm/suite-lib/external_daemon.sh"

scratch_disk
image scratch/disk.img 64M
for queues in 1 2; do
  start_daemon ext scratch/disk.img "num-queues=$queues"
  serve disk --device "vhost-user=ext.sock" --threads 2
  node=$(node disk)
  equal 'size' "$(blockdev --getsize64 "$node")" $((64 << 20))
  grep -q 'vhost-user: features .* protocol features' disk.log || fail 'stage 1 is not in the log'
  grep -q 'vhost-user: stage 3: SET_FEATURES' disk.log || fail 'stage 3 is not in the log'
  mkfs.ext4 -q -F "$node"
  mkdir -p disk
  mount "$node" disk
  for how in '--bs=4k --iodepth=1 --direct=1' '--bs=4k --iodepth=32 --direct=1' '--bsrange=512-1M --iodepth=8 --direct=1' \
    '--bs=64k --iodepth=4 --direct=0'; do
    rm -f disk/fio
    # shellcheck disable=SC2086
    expect "verified fio $how with $queues queue(s)" verify_with_fio --filename=disk/fio --size=8M --ioengine=io_uring $how
  done
  umount disk
  expect 'fsck of the disk is clean' check_file_system "$node"
  expect "the disk's content is the daemon's file" same_content "$node" scratch/disk.img
  stop disk
  equal 'errors' "$(statistic disk errors)" 0
  equal 'requests completed of those taken' "$(statistic disk completed)" "$(statistic disk taken)"
  stop_daemon ext
  expect "fsck of the daemon's file is clean" check_file_system scratch/disk.img
done
