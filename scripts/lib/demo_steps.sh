# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What both demos do inside the virtual machine. Every command is shown before it runs; any failure ends the demo and shows
# what vloop said.

step() { printf '\n== %s\n' "$*"; }
show() {
  printf '$ %s\n' "$*"
  "$@"
}

server='' helpers=() # processes that the demo started
give_up() {
  echo "demo: failed; what vloop said:"
  cat log 2>/dev/null
  kill -KILL $server "${helpers[@]}" 2>/dev/null
}
set -o errtrace # a command that fails inside a function too
trap 'give_up' ERR

# wait_for SECONDS COMMAND...
wait_for() {
  local tries=$(($1 * 10))
  shift
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    sleep 0.1
  done
}

# The disk image is a file on a real disk, as on a real host.
real_disk() {
  mkfs.ext4 -q -F /dev/sda
  mkdir -p /tmp/demo
  mount /dev/sda /tmp/demo
  cd /tmp/demo
}

devices_are_there() { [ "$(wc -l <devices)" -ge "$1" ]; }
# Of the process that serves: what it printed about its device of a kind.
node_of() { sed -n "s/.*\"device\":\"$1\".*\"node\":\"\([^\"]*\)\".*/\1/p" devices; }
virtio_of() { sed -n "s/.*\"device\":\"$1\".*\"virtio\":\"\([^\"]*\)\".*/\1/p" devices; }

# serve NUMBER OPTION...: 'vloop run' in the background, until it has told of its NUMBER devices.
serve() {
  local number=$1
  shift
  echo "$ vloop run --json $*"
  vloop run --json "$@" >devices 2>log &
  server=$!
  wait_for 20 devices_are_there "$number"
  show cat devices
}

use_our_entropy() {
  local hwrng=/sys/class/misc/hw_random source
  show cat $hwrng/rng_available
  source=$(tr ' ' '\n' <$hwrng/rng_available | grep virtio | tail -n 1)
  echo "$ echo $source > $hwrng/rng_current"
  echo "$source" >$hwrng/rng_current
  show cat $hwrng/rng_current
}

# stop_serving DISK: by SIGTERM; the disk must go.
stop_serving() {
  local status=0
  kill -TERM "$server"
  wait "$server" || status=$?
  server=''
  echo "vloop ended with status $status"
  [ $status = 0 ]
  wait_for 5 test ! -e "$1"
}
