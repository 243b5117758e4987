# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# An external device daemon, unmodified: qemu-storage-daemon with a vhost-user-blk export.

declare -A daemon_pid=() # by the name that the test gave
daemon_program=qemu-storage-daemon

# start_daemon NAME FILE EXPORT_OPTION...: its socket is NAME.sock, its QMP socket NAME.qmp.
start_daemon() {
  local name=$1 file=$2 extra
  shift 2
  extra=$(printf ',%s' "$@")
  rm -f "$name.sock" "$name.qmp"
  "$daemon_program" --blockdev "driver=file,node-name=file,filename=$file,discard=unmap" \
    --export "type=vhost-user-blk,id=export,node-name=file,writable=on,addr.type=unix,addr.path=$name.sock${extra%,}" \
    --chardev "socket,path=$name.qmp,server=on,wait=off,id=qmp" --monitor chardev=qmp \
    >"$name.daemon.log" 2>&1 &
  daemon_pid[$name]=$!
  within 60 "the socket of $name" test -S "$name.sock"
}

# kill_daemon NAME: as a crash would.
kill_daemon() {
  kill -KILL "${daemon_pid[$1]}"
  wait "${daemon_pid[$1]}" || true
}

# stop_daemon NAME: it must end well.
stop_daemon() {
  local status=0
  kill -TERM "${daemon_pid[$1]}"
  within 20 "the end of the daemon $1" has_ended "${daemon_pid[$1]}"
  wait "${daemon_pid[$1]}" || status=$?
  equal "exit status of the daemon $1" $status 0
}
