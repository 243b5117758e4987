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

# within SECONDS WHAT COMMAND...: waits until the command succeeds; longer on a debug kernel (time_factor, from tests/vm/run).
within() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((${EPOCHREALTIME/./} + seconds * ${time_factor:-1} * 1000000))
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

# begin NAME COMMAND...: a vloop that serves, its output in NAME.out and its log in NAME.log.
begin() {
  local name=$1
  shift
  : >"$name.out"
  : >"$name.log"
  "$@" >"$name.out" 2>"$name.log" &
  server_pid[$name]=$!
}

# start NAME ARGUMENT...: 'vloop run'.
start() { begin "$1" vloop run "${@:2}"; }

# serve NAME ARGUMENT...: the same, and waits until all its devices are there.
serve() {
  local name=$1 word devices=0
  start "$@"
  for word in "$@"; do [ "$word" != --device ] || devices=$((devices + 1)); done
  within 20 "the devices of $name" devices_there "$name" $devices
}

# recover NAME ARGUMENT...: 'vloop recover' of one device, and waits until it serves.
recover() {
  begin "$1" vloop recover "${@:2}"
  within 20 "the device of $1" devices_there "$1" 1
}

# kill_server NAME: as the kernel does when memory is short.
kill_server() {
  kill -KILL "${server_pid[$1]}"
  end "$1" 20
}

# state ID: of vloopID; empty if it is not there.
state() { cat "/sys/class/vloop/vloop$1/state" 2>/dev/null || true; }
is_in_state() { [ "$(state "$1")" = "$2" ]; }
device_gone() { [ ! -e "/sys/class/vloop/vloop$1" ]; }

# device_id NAME [N]: the number of the server's Nth device.
device_id() {
  local line
  line=$(grep -o 'vloop[0-9]*: stage 1' "$1.log" | sed -n "${2:-1}p")
  line=${line#vloop}
  echo "${line%%:*}"
}

# refused PATTERN COMMAND...: ends soon with status 1 and one line that says why.
refused() {
  local pattern=$1 status=0
  shift
  timeout 20 "$@" >refused.out 2>refused.err || status=$?
  equal "exit status of $*" $status 1
  grep -q -- "$pattern" refused.err || fail "$*: not '$pattern' but: $(cat refused.err)"
  equal "lines of $*" "$(grep -c '^vloop: ' refused.err)" 1
}

devices_there() {
  has_ended "${server_pid[$1]}" && fail "vloop ended instead of serving $1"
  has_lines "$1.out" "$2"
}

# node NAME [N]: the node of the server's Nth device, such as /dev/vda.
node() { sed -n "${2:-1}s/ .*//p" "$1.out"; }

# node_of NAME WORD: of the server's device with WORD in its kind or label; the nodes of several come in any order.
node_of() { sed -n "s/ .*$2.*//p" "$1.out"; }

# end NAME SECONDS: waits for the end of a server; sets 'status'.
end() {
  within "$2" "the end of $1" has_ended "${server_pid[$1]}"
  status=0
  # Bash would say of each that it was killed.
  { wait "${server_pid[$1]}" || status=$?; } 2>/dev/null
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

# unload: a device that is on its way out still holds the module, and so does a descriptor that io_uring has not put yet.
unload() { within 10 'the module can be unloaded' try_unload; }
try_unload() { rmmod vloop 2>rmmod.error || { grep -q 'in use' rmmod.error || fail "rmmod: $(<rmmod.error)"; return 1; }; }

# Of each server that has not ended: what it waits for in the kernel, thread by thread.
show_living_servers() {
  local name task
  for name in "${!server_pid[@]}"; do
    for task in "/proc/${server_pid[$name]}/task"/*; do
      [ -e "$task/status" ] || continue
      echo "---- $name, thread ${task##*/}: $(awk '/^State:/ { print $2 }' "$task/status") syscall $(cat "$task/syscall")"
      cat "$task/stack" || true # a zombie has none
    done
  done 2>/dev/null
}

finish() {
  local code=$?
  if [ $code != 0 ]; then
    trap - EXIT
    exec >&$report
    show_living_servers
    echo "---- status $code; what vloop said:"
    tail -n 30 ./*.log ./*.out 2>/dev/null
    exit $code
  fi
  mountpoint -q scratch && umount scratch
  unload
}
trap finish EXIT
# shellcheck disable=SC2154 # BASH_COMMAND is bash's own
trap 'echo "line $LINENO of ${0##*/}: $BASH_COMMAND"' ERR

modprobe vloop
