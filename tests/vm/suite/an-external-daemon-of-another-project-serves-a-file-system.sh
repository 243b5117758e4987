#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# rust-vmm's virtiofsd behind this kernel's virtiofs: a class that the module does not check, allowed by unsafe_ids. Files
# written, verified and read on both sides are the same; an orderly end, and another daemon after it.
# host: virtiofsd
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"
# shellcheck source=tests/vm/suite-lib/external_daemon.sh
. "$tree/tests/vm/suite-lib/external_daemon.sh"

virtio_id_fs=26

start_file_server() {
  rm -f fs.sock
  "$virtiofsd" --socket-path=fs.sock --shared-dir=shared --tag=here --sandbox=none --inode-file-handles=never \
    >fs.daemon.log 2>&1 &
  daemon_pid[fs]=$!
  within 60 'the socket of virtiofsd' test -S fs.sock
}

mkdir shared mounted
start_file_server
refused 'see its parameter unsafe_ids' vloop run --device vhost-user=fs.sock,type=fs
within 20 'the end of virtiofsd with its front end' has_ended "${daemon_pid[fs]}"
rmmod vloop
modprobe vloop unsafe_ids=$virtio_id_fs

for round in 1 2; do
  start_file_server
  serve files --device vhost-user=fs.sock,type=fs
  within 20 'the file system' mount -t virtiofs here mounted
  expect "verified fio in round $round" verify_with_fio --filename=mounted/fio --size=8M --bs=16k --iodepth=4 \
    --ioengine=libaio
  dd if=/dev/urandom of="mounted/large-$round" bs=1M count=16 status=none
  mkdir "mounted/folder-$round"
  for i in {1..50}; do echo "file $i of $round" >"mounted/folder-$round/$i"; done
  echo 'from the other side' >"shared/other-$round"
  equal 'a file of the other side' "$(cat "mounted/other-$round")" 'from the other side'
  equal 'files there' "$(find "shared/folder-$round" -type f | wc -l)" 50
  sum=$(sha256sum <"mounted/large-$round")
  sync -f mounted
  umount mounted
  equal 'a large file, here and there' "$(sha256sum <"shared/large-$round")" "$sum"
  stop files
  equal 'errors' "$(statistic files errors)" 0
  within 20 'the end of virtiofsd with its front end' has_ended "${daemon_pid[fs]}"
done
equal 'files of both rounds' "$(find shared -type f | wc -l)" 105
