# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A served disk with a file system, on which fio writes and checks; at its end the whole disk is looked at from both sides.

# begin_verified_disk QUEUES [,OPTION...]: serves scratch/disk.img, makes a file system on it and mounts it at ./disk.
begin_verified_disk() {
  rm -f scratch/disk.img
  image scratch/disk.img 64M
  serve disk --device "blk=scratch/disk.img,queues=$1${2:-}" --threads 2
  equal 'hardware queues' "$(find "/sys/block/$(basename "$(node disk)")/mq" -mindepth 1 -maxdepth 1 | wc -l)" \
    "$(least "$1" "$(nproc)")"
  mkfs.ext4 -q "$(node disk)"
  mkdir -p disk
  mount "$(node disk)" disk
}

# The driver takes no more queues than there are processors.
least() { echo $(($1 < $2 ? $1 : $2)); }

# verify_on_disk FIO_ARGUMENT...
verify_on_disk() {
  local start=$SECONDS
  rm -f disk/fio
  expect "verified fio $*" verify_with_fio --filename=disk/fio --ioengine=io_uring "$@"
  echo "verified $* in $((SECONDS - start)) s"
}

end_verified_disk() {
  umount disk
  expect 'fsck of the disk is clean' check_file_system "$(node disk)"
  expect "the disk's content is the backing file's" same_content "$(node disk)" scratch/disk.img
  stop disk
  expect 'fsck of the backing file is clean' check_file_system scratch/disk.img
  equal 'errors' "$(statistic disk errors)" 0
  equal 'requests completed of those taken' "$(statistic disk completed)" "$(statistic disk taken)"
}
