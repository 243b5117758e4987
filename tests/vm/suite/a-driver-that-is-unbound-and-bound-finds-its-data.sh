#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Idle, and under fio; after each time the disk is there again and nothing is lost. One process serves all of it.
# debug: yes
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

driver=/sys/bus/virtio/drivers/virtio_blk
unbind() { timeout 10 sh -c "echo $virtio >$driver/unbind"; }
bind() { timeout 10 sh -c "echo $virtio >$driver/bind"; }
has_no_scheduler() { grep -qF '[none]' "/sys/block/${disk##*/}/queue/scheduler"; }

scratch_disk
random_image scratch/disk.img 16
serve disk --device blk=scratch/disk.img,queues=2
disk=$(node disk)
virtio=$(virtio_name "$disk")
write_directly "$disk" 77
for _ in 1 2; do
  expect 'unbind' unbind
  expect 'the disk is gone' no_file "/sys/block/${disk##*/}"
  expect 'bind' bind
  within 5 'the disk is there again' test -b "$disk"
  within 5 'the scheduler is none again' has_no_scheduler
  expect 'the disk is its file' same_content "$disk" scratch/disk.img
done

for _ in 1 2 3; do
  fio --name=job --filename="$disk" --rw=randwrite --bs=4k --size=8M --direct=1 --iodepth=32 --ioengine=libaio \
    --time_based --runtime=60 --allow_file_create=0 --output=fio.out &
  load=$!
  within 10 'requests of fio' is_busy "$disk" 8
  sleep 0.3
  expect 'unbind under load' unbind
  within 5 'the end of fio' has_ended $load
  expect_failure 'fio, whose disk went away' wait $load
  expect 'bind' bind
  within 5 'the disk is there again' test -b "$disk"
done
expect 'verified fio at the end' verify_with_fio --filename="$disk" --bs=4k --size=2M --direct=1 --iodepth=32 --ioengine=libaio
expect 'the disk is its file' same_content "$disk" scratch/disk.img
at_least 'times that the driver was ready' "$(grep -c 'driver is ready' disk.log)" 2
stop disk
