#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The partitions of a disk are found. One with a file system, and a linear mapping over another with a second one, are
# written and checked while the disk's server is killed and replaced four times, and once hands over.
# vm: --scratch 2G
# timeout: 240
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/partitions.sh
. "$tree/tests/vm/suite-lib/partitions.sh"

# verify NAME: reads and writes of a file there until the test says enough.
verify() {
  local pass=0
  while [ ! -e enough ]; do
    verify_with_fio --filename="$1/fio" --bs=4k --size=2M --direct=1 --iodepth=8 --ioengine=libaio --fsync=16 \
      --randseed=$((++pass)) --output="$1.out" || return
  done
}

modprobe dm_mod
export DM_DISABLE_UDEV=1 # it makes the nodes itself
scratch_disk
image scratch/disk.img 64M
make_partitions scratch/disk.img 2048+61440 65536+61440
serve server0 --device blk=scratch/disk.img,queues=2 --recoverable
disk=$(node server0)
id=$(device_id server0)
within 5 'the partitions' test -b "${disk}2" -a -b "${disk}1"
equal 'sectors of the second' "$(cat "/sys/block/${disk##*/}/${disk##*/}2/size")" 61440
# Its halves the other way round.
printf '0 30720 linear %s 30720\n30720 30720 linear %s 0\n' "${disk}2" "${disk}2" | dmsetup create swapped
within 5 'the mapping' test -b /dev/mapper/swapped
mkdir part mapping
mkfs.ext4 -q "${disk}1"
mkfs.ext4 -q /dev/mapper/swapped
mount "${disk}1" part
mount /dev/mapper/swapped mapping
verify part &
loads=($!)
verify mapping &
loads+=($!)

for round in 1 2 3 4; do
  within 20 'a load' is_busy "$disk" 8
  kill_server "server$((round - 1))"
  recover "server$round" "$id"
done
recover server5 "$id" --take-over
end server4 10
equal 'exit status of who handed over' $status 0
within 20 'a load' is_busy "$disk" 8
touch enough
for pid in "${loads[@]}"; do expect 'verified fio' wait "$pid"; done

umount part mapping
expect 'fsck of the partition' check_file_system "${disk}1"
expect 'fsck of the mapping' check_file_system /dev/mapper/swapped
dmsetup remove swapped
expect 'the partition table is read again' blockdev --rereadpt "$disk"
expect 'its partitions' test -b "${disk}1" -a -b "${disk}2"
expect 'the disk is its file' same_content "$disk" scratch/disk.img
stop server5
equal 'errors' "$(statistic server5 errors)" 0
