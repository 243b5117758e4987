#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# virtio_blk is not loaded: one line within 5 s, with what to do, and that helps. The node is told as '-', or null, and
# again when there is one.
# vm: --scratch 2G
# timeout: 40
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

modprobe -r virtio_blk
echo 'blacklist virtio_blk' >/etc/modprobe.d/no-virtio-blk.conf
image disk.img 8M
start disk --device blk=disk.img
within 5 'the line' grep -q 'modprobe virtio_blk' disk.log
equal 'lines about it' "$(grep -c 'no driver' disk.log)" 1
within 1 'the line on standard output' has_lines disk.out 1
equal 'the node' "$(node disk)" -

modprobe virtio_blk
within 5 'the disk' test -b /dev/vda
within 5 'a second line' has_lines disk.out 2
equal 'the second line' "$(sed -n 2p disk.out)" '/dev/vda blk disk.img'
expect 'a write' write_directly /dev/vda 3
expect 'the disk is its file' same_content /dev/vda disk.img
stop disk

modprobe -r virtio_blk
start json --json --device blk=disk.img
within 6 'the JSON line' has_lines json.out 1
expect 'the node is null' grep -q '"node":null' json.out
stop json
rm /etc/modprobe.d/no-virtio-blk.conf
