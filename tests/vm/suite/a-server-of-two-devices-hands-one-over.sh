#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# It goes on with the other, and ends well when that one is handed over too. A server that cannot answer is not replaced.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

image disk.img 16M
serve old --device blk=disk.img --device rng --recoverable
disk=$(node_of old blk)
id=$(device_id old)

kill -STOP "${server_pid[old]}"
refused "vloop$id.*did not hand it over" vloop recover "$id" --take-over --timeout 500ms
kill -CONT "${server_pid[old]}"
expect 'the server that was stopped goes on' write_directly "$disk" 3
sleep 0.3
equal 'its state' "$(state "$id")" live
equal 'its server' "$(cat "/sys/class/vloop/vloop$id/server_pid")" "${server_pid[old]}"

recover new "$id" --take-over
within 5 'the word of the old one' grep -q "vloop$id: handed over" old.log
expect 'the old one goes on with the other' kill -0 "${server_pid[old]}"
expect 'random bytes' timeout 10 dd if=/dev/hwrng of=/dev/null bs=16 count=1 status=none
expect 'a write to the disk' write_directly "$disk" 4
recover rng "$(device_id old 2)" --take-over
end old 5
equal 'exit status of the old one' $status 0
expect 'random bytes' timeout 10 dd if=/dev/hwrng of=/dev/null bs=16 count=1 status=none
expect 'the disk is its file' same_content "$disk" disk.img
stop new
stop rng
