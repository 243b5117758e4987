#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a write meets when the server of its disk was killed: with 'queue' and 'reissue' it waits and succeeds, with
# 'fail-fast' it fails at once and the disk stays, with 'fail' the disk is gone. Where it stays, the next server goes on.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 16M
for policy in queue reissue fail-fast; do
  serve "$policy" --device blk=scratch/disk.img --on-exit="$policy"
  disk=$(node "$policy")
  id=$(device_id "$policy")
  equal 'the policy in sysfs' "$(cat "/sys/class/vloop/vloop$id/on_exit")" "$policy"
  expect 'a write before' write_directly "$disk" 1
  kill_server "$policy"
  if [ "$policy" = fail-fast ]; then
    within 5 'a failing disk' is_in_state "$id" failing
    expect_failure 'a write without a server' timeout 20 dd if=/dev/urandom of="$disk" bs=4k count=1 oflag=direct \
      conv=notrunc status=none 2>dd.err
    expect 'it is an I/O error' grep -q 'Input/output error' dd.err
    expect 'the disk stays' test -b "$disk"
  else
    within 5 'a deserted disk' is_in_state "$id" deserted
    write_directly "$disk" 2 &
    writer=$!
    within 10 'a write that waits' is_busy "$disk" 1
    sleep 0.5
    expect 'it still waits' kill -0 $writer
  fi
  recover "$policy-next" "$id"
  [ "$policy" = fail-fast ] || expect 'the write that waited' wait "$writer"
  expect 'a write after' write_directly "$disk" 3
  expect 'the disk is its file' same_content "$disk" scratch/disk.img
  stop "$policy-next"
  equal 'errors' "$(statistic "$policy-next" errors)" 0
done

serve fail --device blk=scratch/disk.img --on-exit=fail
disk=$(node fail)
kill_server fail
within 5 'no disk' no_file "/sys/block/${disk##*/}"
equal 'the list in the end' "$(vloop list)" 'no devices'
