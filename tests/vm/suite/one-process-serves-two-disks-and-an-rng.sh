#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two disks are written to at once while random bytes are read; each keeps its own data.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

image one.img 32M
image two.img 32M
serve all --device blk=one.img --device rng --device blk=two.img,queues=2
one=$(awk '/one.img/ { print $1 }' all.out)
two=$(awk '/two.img/ { print $1 }' all.out)
equal 'the node of the rng' "$(awk '$2 == "rng" { print $1 }' all.out)" /dev/hwrng

within 5 'our rng is the current source' grep -q virtio_rng /sys/class/misc/hw_random/rng_current
verify_with_fio --filename="$one" --bs=16k --size=8M --direct=1 --iodepth=8 --ioengine=libaio --verify_pattern=0x11 &
first=$!
verify_with_fio --filename="$two" --bs=16k --size=8M --direct=1 --iodepth=8 --ioengine=libaio --output=fio2.out &
second=$!
dd if=/dev/hwrng of=random bs=512 count=20 iflag=fullblock status=none
expect 'fio on the first disk' wait $first
expect 'fio on the second disk' wait $second

equal 'random bytes' "$(stat -c %s random)" 10240
# What is random cannot be made smaller.
at_least 'random bytes after compression' "$(gzip -c random | wc -c)" 10240
expect 'the first disk is its file' same_content "$one" one.img
expect 'the second disk is its file' same_content "$two" two.img
expect_failure 'the two disks have different content' cmp -s "$one" "$two"
stop all
equal 'errors' "$(statistic all errors)" 0
