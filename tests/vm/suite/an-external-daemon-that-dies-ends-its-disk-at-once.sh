#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The daemon is killed under load: what is in flight fails, the device ends, vloop says one line and fails; a daemon that
# stands still holds up a stop no longer than the second signal. A class that nobody checks needs unsafe_ids, and is told so.
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/external_daemon.sh
. "$tree/tests/vm/suite-lib/external_daemon.sh"

image disk.img 64M
refused 'start the daemon first' vloop run --device vhost-user=nothing.sock

for round in 1 2 3; do
  start_daemon ext disk.img
  serve disk --device vhost-user=ext.sock
  node=$(node disk)
  fio --name=load --filename="$node" --rw=randrw --bs=4k --iodepth=16 --direct=1 --ioengine=libaio --time_based \
    --runtime=60 --output=load.out >load.err 2>&1 &
  load=$!
  within 20 'load' is_busy "$node" 1
  kill_daemon ext
  began=$(milliseconds)
  end disk 10
  echo "round $round: vloop ended $(($(milliseconds) - began)) ms after its daemon"
  equal 'exit status of vloop' $status 1
  equal 'lines that say why' "$(grep -c '^vloop: .*it closed the connection' disk.log)" 1
  within 10 'the end of the disk' no_file "$node"
  within 20 'the end of fio' has_ended $load
  expect_failure 'fio is told' wait $load
done

start_daemon ext disk.img
serve disk --device vhost-user=ext.sock
# Opening waits for the scan of the partition table. One that waited for longer would find a disk that is gone, and its end.
dd if="$(node disk)" of=/dev/null bs=4k count=1 iflag=direct status=none
kill -STOP "${daemon_pid[ext]}"
dd if="$(node disk)" of=/dev/null bs=4k count=1 iflag=direct 2>dd.err &
reader=$!
within 10 'a request in flight' is_busy "$(node disk)" 1
kill -TERM "${server_pid[disk]}"
within 10 'the first signal is taken' grep -q 'stopping' disk.log
kill -TERM "${server_pid[disk]}"
end disk 20
equal 'exit status after a forced stop' $status 1
within 20 'the end of dd' has_ended $reader
expect_failure 'the request fails' wait $reader
kill_daemon ext

start_daemon ext disk.img
refused 'see its parameter unsafe_ids' vloop run --device vhost-user=ext.sock,type=i2c
stop_daemon ext
