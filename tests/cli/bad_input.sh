#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every mistake a user can make on vloop's command line ends at once, with one line on standard error
# that says what is wrong, nothing on standard output, and exit status 2 (the words) or 1 (the world).
# usage: bad_input.sh VLOOP
set -u

vloop=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
chmod 755 .
truncate -s 1M disk.img
: > empty.img
mkdir directory
mkfifo pipe
truncate -s 1M secret.img
chmod 000 secret.img

failures=0
skipped=0

# refused STATUS PATTERN ARGUMENT... : PATTERN is a basic regular expression found in the line.
refused() {
  status=$1 pattern=$2
  shift 2
  # shellcheck disable=SC2086 # the prefix is words
  timeout 10 $as "$vloop" "$@" > out 2> err
  got=$?
  lines=$(wc -l < err)
  if [ "$got" = "$status" ] && [ "$lines" = 1 ] && [ ! -s out ] && grep -q '^vloop: ' err && grep -q -- "$pattern" err; then
    echo "ok: vloop $*: $(cat err)"
  else
    echo "FAILED: vloop $*: status $got (want $status), $lines lines on standard error (want 1, with '$pattern'):"
    cat err out
    failures=$((failures + 1))
  fi
}

skip() {
  echo "skipped: $*"
  skipped=$((skipped + 1))
}

as=

# The words: exit status 2.
refused 2 'subcommand'
refused 2 'subcommand' frobnicate
refused 2 '--device' run
refused 2 '--device' run --device
refused 2 'floppy' run --device floppy=disk.img
refused 2 'blk=PATH' run --device blk
refused 2 'blk=PATH' run --device blk=
refused 2 "no option 'colour'" run --device blk=disk.img,colour=red
refused 2 "'queues' is given twice" run --device blk=disk.img,queues=2,queues=2
refused 2 "'readonly' is given twice" run --device blk=disk.img,readonly,readonly
refused 2 'queues=0 is out of range' run --device blk=disk.img,queues=0
refused 2 'queue-size=3 is not a power of two' run --device blk=disk.img,queue-size=3
refused 2 'queue-size=2 is too small' run --device blk=disk.img,queue-size=2
refused 2 'direct=maybe' run --device blk=disk.img,direct=maybe
refused 2 '--threads' run --device blk=disk.img --threads 0
refused 2 '--threads' run --device blk=disk.img --threads many
refused 2 '--poll' run --device blk=disk.img --poll -1
refused 2 '--log-level' run --device blk=disk.img --log-level loud
refused 2 'not expected' run --device blk=disk.img --frobnicate
refused 2 'not expected' run --device blk=disk.img disk2.img
refused 2 'contradict' run --device rng --recoverable --on-exit=fail
refused 2 "'maybe' is unknown; give fail, queue" run --device rng --on-exit=maybe
refused 2 'add --recoverable' run --device rng --grace 10s
refused 2 'no meaning' run --device rng --on-exit=fail-fast --grace 10s
refused 2 "'soon' is no time" run --device rng --recoverable --grace soon
refused 2 'out of range' run --device rng --recoverable --grace 0
refused 2 'out of range' run --device rng --recoverable --grace 61m
refused 2 'not expected' run --device rng --take-over
refused 2 'not expected' list vloop0
refused 2 'not expected' list --force
refused 2 'ID is required' stop
refused 2 "'vdb' names no device" stop vdb
refused 2 'given twice' stop 1 vloop1
refused 2 'no time' stop 1 --timeout never
refused 2 'ID, or --all' recover
refused 2 'names no device' recover /dev/vda
refused 2 'given twice' recover 1 2 1
refused 2 'as many --device as IDs' recover 1 2 --device rng
refused 2 'as many --device as IDs' recover 1 --device rng --device rng
refused 2 'excludes' recover 1 --all
refused 2 'excludes' recover --all --device rng
refused 2 'floppy' recover 1 --device floppy=disk.img
refused 2 '--timeout requires --take-over' recover 1 --timeout 3s
refused 2 'out of range; give 1ms to 60s' recover 1 --take-over --timeout 61s
refused 2 '--threads' recover 1 --threads 0
# A mistake in the second device is found before the first one exists.
refused 2 'queues=0' run --device blk=disk.img --device blk=disk.img,queues=0

refused 2 '--listen' run --device rng --listen
refused 2 'each its own listen=PATH' run --device rng --device rng --listen s.sock
refused 2 'no descriptor' run --device rng --listen fd:0
refused 2 'no mode' run --device rng,listen=s.sock,socket-mode=rw
refused 2 'connected to again' run --device rng --listen s.sock --recoverable
refused 2 'connect to the first' run --device vhost-user=a.sock,listen=b.sock
refused 2 "no option 'listen'" recover 1 --device rng,listen=s.sock

# The world: exit status 1. The backing is looked at before the module, so these hold on any host.
refused 1 'missing.img.*No such file' run --device blk=missing.img
refused 1 'directory' run --device blk=directory
refused 1 'empty.img' run --device blk=empty.img
refused 1 'pipe' run --device blk=pipe
refused 1 '/dev/null' run --device blk=/dev/null
refused 1 'missing-source.*No such file' run --device rng=missing-source
refused 1 'directory' run --device rng=directory

# What listens needs no module, but a place for its socket. The log comes before the line.
refused_with_log() {
  pattern=$1
  shift
  timeout 10 "$vloop" "$@" --log-level error > out 2> err
  got=$?
  if [ "$got" = 1 ] && [ ! -s out ] && [ "$(wc -l < err)" = 1 ] && grep -q -- "$pattern" err; then
    echo "ok: vloop $*: $(cat err)"
  else
    echo "FAILED: vloop $*: status $got (want 1), with '$pattern':"
    cat err out
    failures=$((failures + 1))
  fi
}
refused_with_log 'disk.img.*is no socket' run --device rng --listen disk.img
refused_with_log 'folder has to be there' run --device rng --listen no-such-folder/s.sock
refused_with_log 'descriptor 9' run --device rng --listen fd:9

# Root reads everything, so an unreadable file needs another user.
if [ "$(id -u)" != 0 ]; then
  refused 1 'secret.img.*Permission denied' run --device blk=secret.img
elif command -v setpriv > /dev/null && setpriv --reuid=65534 --regid=65534 --clear-groups "$vloop" --version > /dev/null 2>&1; then
  as='setpriv --reuid=65534 --regid=65534 --clear-groups'
  refused 1 'secret.img.*Permission denied' run --device blk=secret.img
  as=
else
  skip 'unreadable file: running as root, and the program cannot be started as another user (setpriv)'
fi

if [ -e /dev/vloop ]; then
  skip 'no module: this machine has /dev/vloop'
else
  refused 1 '/dev/vloop' run --device blk=disk.img
  refused 1 'modprobe vloop' run --device blk=disk.img
  refused 1 'modprobe vloop' stop 0
  refused 1 'vloop0.*vloop list' recover 0
  refused 1 'nothing to recover' recover --all
fi

# No module, no device and no rights (where we can be without) are no mistake.
[ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null || as='setpriv --reuid=65534 --regid=65534 --clear-groups'
for option in '' --json; do
  # shellcheck disable=SC2086 # none is none
  if ! $as "$vloop" list $option > out 2> err || [ -s err ]; then
    echo "FAILED: vloop list $option: $(cat err)"
    failures=$((failures + 1))
  fi
done

echo "$failures failed, $skipped skipped"
[ "$failures" = 0 ]
