#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server in a mount namespace of its own, in which its own disk is mounted and holds data that is not written yet: with
# its death the namespace ends, which unmounts the disk, which nobody serves. It ends all the same, and the system goes on.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

in_namespace() { nsenter --mount="/proc/${server_pid[disk]}/ns/mnt" "$@"; }

scratch_disk
image scratch/disk.img 64M
mkdir mounted
for round in 1 2; do
  : >disk.out
  unshare --mount vloop run --device blk=scratch/disk.img >disk.out 2>disk.log &
  server_pid[disk]=$!
  within 20 'the disk' devices_there disk 1
  mkfs.ext4 -q -F "$(node disk)"
  expect 'mount in the namespace of the server' in_namespace mount "$(node disk)" "$PWD/mounted"
  in_namespace dd if=/dev/urandom of="$PWD/mounted/data" bs=64k count=64 status=none
  expect_failure 'the mount is seen by nobody else' mountpoint -q mounted
  kill -KILL "${server_pid[disk]}"
  end disk 20
  within 20 'the disk is gone' no_file "/sys/block/$(basename "$(node disk)")"
  expect 'the system goes on' timeout 20 sync
  echo "round $round"
done
