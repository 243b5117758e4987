#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The same command line before and after a crash: with --resume the second run goes on with the device of the first; where
# there is none it makes one, and it never makes a second disk of a file that is being served.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

image disk.img 16M
image other.img 16M
serve first --device blk=disk.img --device rng --recoverable --resume
disk=$(node_of first blk)
id=$(device_id first)
refused "vloop$id.*served" vloop run --device blk=disk.img --recoverable --resume
kill_server first
serve second --device blk="$PWD/disk.img" --device rng --recoverable --resume
equal 'the device' "$(device_id second)" "$id"
equal 'the node' "$(node_of second blk)" "$disk"
equal 'the other device' "$(device_id second 2)" "$(device_id first 2)"
equal 'devices' "$(vloop list --json | wc -l)" 2
serve other --device blk=other.img --recoverable --resume
equal 'devices' "$(vloop list --json | wc -l)" 3
stop second
stop other
equal 'the list in the end' "$(vloop list)" 'no devices'
