# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of tests/vm/suite share. They run as root in a virtual machine of their own, in an empty folder; 'tree' is
# the tree. Every wait has a bound. A test that fails says why and what vloop said; the machine is thrown away after it.
set -euo pipefail
shopt -s inherit_errexit

# shellcheck disable=SC2034 # used by the tests
suite_lib=${BASH_SOURCE[0]%/*}

# A test may have sent the output of what failed elsewhere.
exec {report}>&1

fail() {
  echo "FAILED: $*" >&$report
  exit 1
}

# expect WHAT COMMAND...: the command must succeed.
expect() {
  local what=$1
  shift
  "$@" || fail "$what (status $?: $*)"
}

# expect_failure WHAT COMMAND...: the command must end with a failure of its own, not by a signal.
expect_failure() {
  local what=$1 status=0
  shift
  "$@" || status=$?
  if [ $status = 0 ] || [ $status -ge 124 ]; then fail "$what (status $status: $*)"; fi
}

# equal WHAT ACTUAL EXPECTED
equal() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"; }

# at_least WHAT ACTUAL LEAST
at_least() { [ "$2" -ge "$3" ] || fail "$1: $2, less than $3"; }

# at_most WHAT ACTUAL MOST
at_most() { [ "$2" -le "$3" ] || fail "$1: $2, more than $3"; }

# within SECONDS WHAT COMMAND...: waits until the command succeeds.
within() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))
  until "$@"; do
    [ ${EPOCHREALTIME/./} -lt $deadline ] || fail "not within $seconds s: $what"
    pause
  done
}

# Starting a process for each look would be most of the work on an emulated processor.
exec {nothing_comes}<> <(:)
pause() { read -rt 0.03 -u $nothing_comes || true; }

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

has_lines() {
  local lines
  mapfile -t lines <"$1"
  [ ${#lines[@]} -ge "$2" ]
}
has_ended() { ! kill -0 "$1" 2>/dev/null; }
no_file() { [ ! -e "$1" ]; }

# ---- vloop ----

declare -A server_pid=() # by the name that the test gave

# start NAME ARGUMENT...: 'vloop run', its output in NAME.out and its log in NAME.log.
start() {
  local name=$1
  shift
  : >"$name.out"
  : >"$name.log"
  vloop run "$@" >"$name.out" 2>"$name.log" &
  server_pid[$name]=$!
}

# serve NAME ARGUMENT...: the same, and waits until all its devices are there.
serve() {
  local name=$1 word devices=0
  start "$@"
  for word in "$@"; do [ "$word" != --device ] || devices=$((devices + 1)); done
  within 20 "the devices of $name" devices_there "$name" $devices
}

devices_there() {
  has_ended "${server_pid[$1]}" && fail "vloop ended instead of serving $1"
  has_lines "$1.out" "$2"
}

# node NAME [N]: the node of the server's Nth device, such as /dev/vda.
node() { sed -n "${2:-1}s/ .*//p" "$1.out"; }

# end NAME SECONDS: waits for the end of a server; sets 'status'.
end() {
  within "$2" "the end of $1" has_ended "${server_pid[$1]}"
  status=0
  wait "${server_pid[$1]}" || status=$?
}

# stop NAME: as a user does; it must end well.
stop() {
  kill -TERM "${server_pid[$1]}"
  end "$1" 20
  equal "exit status of $1" $status 0
}

# statistic NAME WORD: from the log of a server that has ended, the sum over its queues.
statistic() {
  grep -q 'queue [0-9]*: taken' "$1.log" || fail "no statistics in the log of $1"
  sed -n "s/.*queue [0-9]*: .*\<$2 \([0-9]*\).*/\1/p" "$1.log" | awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# ---- disks ----

# image NAME SIZE: an empty backing file.
image() { truncate -s "$2" "$1"; }

# random_image NAME MEGABYTES
random_image() { head -c "${2}M" /dev/urandom >"$1"; }

# scratch_disk: the machine's own disk (--scratch) as an ext4 file system at ./scratch, where direct I/O is real.
scratch_disk() {
  mkdir scratch
  mkfs.ext4 -q -F /dev/sda
  mount /dev/sda scratch
}

# slow_disk NANOSECONDS: a null_blk device that takes so long for every request; sets 'slow_node'.
slow_disk() {
  make_null_block slow irqmode=2 "completion_nsec=$1" size=256
  # shellcheck disable=SC2034
  slow_node=$null_block
}

# make_null_block NAME SETTING=VALUE...: sets 'null_block' to its node.
make_null_block() {
  local name=$1 setting folder
  shift
  modprobe null_blk nr_devices=0
  mountpoint -q /sys/kernel/config || mount -t configfs configfs /sys/kernel/config
  folder=/sys/kernel/config/nullb/$name
  mkdir "$folder"
  for setting in "$@"; do echo "${setting#*=}" >"$folder/${setting%%=*}"; done
  echo 1 >"$folder/power"
  null_block=/dev/nullb$(cat "$folder/index")
  [ -b "$null_block" ] || null_block=/dev/$name
  within 5 "$null_block" test -b "$null_block"
}

# is_busy NODE N: at least N requests are in flight.
is_busy() { awk -v least="$2" '{ exit $1 + $2 < least }' "/sys/block/${1##*/}/inflight"; }

remove_null_block() { rmdir "/sys/kernel/config/nullb/$1"; }

read_directly() { dd if="$1" of=/dev/null bs=4k skip="$2" count=1 iflag=direct status=none; }
write_directly() { dd if=/dev/urandom of="$1" bs=4k seek="$2" count=1 oflag=direct conv=notrunc status=none; }

# run_fio ARGUMENT...: quiet unless it fails.
run_fio() {
  fio --name=job --end_fsync=1 --output=fio.out "$@" && return
  tail -n 40 fio.out
  return 1
}

# verify_with_fio ARGUMENT...: random reads and writes, everything written is read back and checked.
verify_with_fio() {
  run_fio --rw=randrw --rwmixread=30 --verify=crc32c --do_verify=1 --verify_fatal=1 "$@"
}

# check_file_system DEVICE_OR_FILE
check_file_system() { e2fsck -fn "$1" >fsck.out 2>&1 || { cat fsck.out; return 1; }; }

# same_content NODE FILE: what the disk says, past every cache, is what its backing holds.
same_content() {
  sync
  blockdev --flushbufs "$1"
  echo 3 >/proc/sys/vm/drop_caches
  cmp "$1" "$2"
}

# virtio_name NODE: virtioN
virtio_name() { basename "$(readlink -f "/sys/block/${1##*/}/device")"; }

# ---- the end ----

finish() {
  local code=$?
  if [ $code != 0 ]; then
    trap - EXIT
    exec >&$report
    echo "---- status $code; what vloop said:"
    tail -n 30 ./*.log ./*.out 2>/dev/null
    exit $code
  fi
  mountpoint -q scratch && umount scratch
  expect 'the module can be unloaded after the test' rmmod vloop
}
trap finish EXIT
# shellcheck disable=SC2154 # BASH_COMMAND is bash's own
trap 'echo "line $LINENO of ${0##*/}: $BASH_COMMAND"' ERR

modprobe vloop
