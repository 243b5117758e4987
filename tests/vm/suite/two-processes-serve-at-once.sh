#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each has its own disk, and the end of one leaves the other alone, even in the middle of its work.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

random_image one.img 16
random_image two.img 16
serve one --device blk=one.img
serve two --device blk=two.img
equal 'nodes that are different' "$(printf '%s\n' "$(node one)" "$(node two)" | sort -u | wc -l)" 2
expect 'the first disk is its file' same_content "$(node one)" one.img
expect 'the second disk is its file' same_content "$(node two)" two.img

verify_with_fio --filename="$(node two)" --bs=4k --size=8M --direct=1 --iodepth=8 --ioengine=libaio &
work=$!
sleep 0.5
stop one
expect 'fio on the second disk, while the first ended' wait $work
expect 'the second disk is its file' same_content "$(node two)" two.img
stop two
