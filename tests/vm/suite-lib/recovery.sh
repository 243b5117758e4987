# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Servers are killed under a load that checks what it reads, and followed by others.
# shellcheck disable=SC2154 # suite_lib, status: vloop.sh

# kernel_said PATTERN
kernel_said() { dmesg | grep -E "$1"; }

# verify_until FILE: fio writes to ./disk and checks what is there, again and again, until FILE is there.
verify_until() {
  local pass=0
  while [ ! -e "$1" ]; do
    verify_with_fio --filename=disk/fio --bs=4k --size=4M --direct=1 --iodepth=16 --ioengine=io_uring --fsync=16 \
      --time_based --runtime=8 --verify_backlog=256 --randseed=$((++pass)) || return
  done
  echo "$pass passes of fio"
}

# serve_rounds BACKING [,OPTION...]: a recoverable disk with a file system at ./disk; sets 'disk' and 'id'.
serve_rounds() {
  serve first --device "blk=$1,queues=2${2:-}" --threads 2 --recoverable --grace 60s
  disk=$(node first)
  id=$(device_id first)
  mkfs.ext4 -q "$disk"
  mkdir disk
  mount "$disk" disk
}

# kill_rounds ARGUMENT...: of kill_rounds.py. Its summary is left in ./summary.
kill_rounds() {
  local load
  verify_until enough >load &
  load=$!
  within 20 'fio at work' is_busy "$disk" 4
  python3 "$suite_lib/kill_rounds.py" --id "$id" --node "$disk" --server "${server_pid[first]}" "$@" |
    tee summary >&"$report" || fail "rounds of killing: $(tail -n 5 recovered*.log)"
  recover last "$id"
  touch enough
  expect 'verified fio' wait $load
  cat load
}

# end_rounds BACKING
end_rounds() {
  umount disk
  expect 'fsck is clean' check_file_system "$disk"
  expect 'the disk is its backing' same_content "$disk" "$1"
  stop last
  equal 'errors' "$(statistic last errors)" 0
  expect_failure 'errors in the log of the kernel' \
    kernel_said "I/O error.*${disk##*/}|EXT4-fs (warning|error).*${disk##*/}"
}
