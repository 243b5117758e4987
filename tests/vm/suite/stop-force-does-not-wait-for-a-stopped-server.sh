#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server that hangs (SIGSTOP) keeps 'vloop stop' waiting as long as it is told to; --force removes the disk within a
# second, with errors for what is in flight, and the server ends when it goes on.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 16M
for how in --on-exit=fail --on-exit=reissue; do
  serve disk --device blk=scratch/disk.img "$how"
  disk=$(node disk)
  id=$(device_id disk)
  kill -STOP "${server_pid[disk]}"
  write_directly "$disk" 3 2>dd.err &
  writer=$!
  within 5 'a write that waits' is_busy "$disk" 1
  refused "vloop$id is not gone after 500 ms; it is live, served by process ${server_pid[disk]}.*--force" \
    vloop stop "$id" --timeout 500ms
  expect 'the write still waits' kill -0 $writer

  vloop --version >version.out # what it takes to start a process here
  before=$(milliseconds)
  vloop --version >version.out
  start_up=$(($(milliseconds) - before))
  before=$(milliseconds)
  expect 'the forced stop' vloop stop "$id" --force --timeout 5s
  took=$(($(milliseconds) - before - start_up))
  echo "removed in $took ms"
  at_most 'milliseconds until it was gone' $took $((1000 * ${time_factor:-1}))
  within 5 'the end of the write' has_ended $writer
  expect_failure 'the write' wait $writer
  expect 'the disk is gone' no_file "$disk"

  kill -CONT "${server_pid[disk]}"
  end disk 10
  equal 'exit status of the server' $status 1
  expect 'its log says why' grep -q 'another process took it away' disk.log
done
