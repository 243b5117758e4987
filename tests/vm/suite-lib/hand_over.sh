# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Live upgrade: servers follow each other under a load that checks what it reads.
# shellcheck source=tests/vm/suite-lib/recovery.sh disable=SC2154
. "$suite_lib/recovery.sh"

# longest_stall DISK FILE SECONDS_FILE: reads a sector directly, over and over, until FILE is there; the longest time that
# one read took is written to SECONDS_FILE, in milliseconds.
longest_stall() {
  python3 - "$@" <<'PYTHON'
import mmap, os, sys, time
disk, until, out = sys.argv[1:]
fd = os.open(disk, os.O_RDONLY | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
longest = 0
while not os.path.exists(until):
    begin = time.monotonic()
    os.preadv(fd, [page], 0)
    longest = max(longest, time.monotonic() - begin)
    time.sleep(0.002)
open(out, "w").write("%d\n" % (longest * 1000))
PYTHON
}

greater() { echo $(($1 > $2 ? $1 : $2)); }

# hand_over_rounds N [,OPTION...]: a disk under verified fio goes from server to server. Each must end with status 0.
# shellcheck disable=SC2154 # status is the library's
hand_over_rounds() {
  local rounds=$1 disk id round old load watcher before sum=0 slowest=0
  scratch_disk
  image scratch/disk.img 64M
  serve server0 --device "blk=scratch/disk.img,queues=2${2:-}" --recoverable
  disk=$(node server0)
  id=$(device_id server0)
  mkfs.ext4 -q "$disk"
  mkdir disk
  mount "$disk" disk
  verify_until enough >load &
  load=$!
  longest_stall "$disk" enough stall &
  watcher=$!
  within 30 'fio at work' is_busy "$disk" 4
  for ((round = 1; round <= rounds; round++)); do
    old=server$((round - 1))
    before=$(milliseconds)
    recover "server$round" "$id" --take-over
    sum=$((sum + $(milliseconds) - before))
    before=$(milliseconds)
    end "$old" 20
    slowest=$(greater "$slowest" $(($(milliseconds) - before)))
    equal "exit status of server $((round - 1))" "$status" 0
    expect 'it says that it handed over' grep -q "vloop$id: handed over" "$old.log"
    equal 'errors' "$(statistic "$old" errors)" 0
    has_ended $load && fail "fio ended during the hand-overs: $(<load)"
    sleep 1
  done
  touch enough
  within 30 'the end of the reads beside fio' has_ended $watcher
  expect 'the reads beside fio' wait $watcher
  within 60 "fio's end" has_ended $load
  expect 'verified fio' wait $load
  echo "$rounds hand-overs; on average $((sum / rounds)) ms from starting vloop to the node; longest stall of a reader $(cat stall) ms;" \
    "an old server ended at most $slowest ms later"
  grep -h -o 'attached in .*' server*.log | sort | uniq -c | head -n 40
  equal 'recoveries' "$(cat "/sys/class/vloop/vloop$id/recoveries")" "$rounds"
  umount disk
  expect 'fsck is clean' check_file_system "$disk"
  expect 'the disk is its file' same_content "$disk" scratch/disk.img
  stop "server$rounds"
}
