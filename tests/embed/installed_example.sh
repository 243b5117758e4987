#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the build into a scratch prefix, builds the example against that with pkg-config, and runs it: everywhere
# to see a missing file refused, and where there is a module (in the VM) to serve a disk and read it back.
# usage: installed_example.sh [--reuse] BUILD_DIRECTORY EXAMPLE_SOURCE
#   --reuse  take the program that an earlier run left in the build directory, if it is up to date: compiling takes long
#            on an emulated machine
set -eu

reuse=
if [ "$1" = --reuse ]; then
  reuse=yes
  shift
fi

build=$1
source=$2
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2> /dev/null || :; rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*"
  exit 1
}

program=$build/tests/embed/serve_disk

build_example() {
  DESTDIR=$scratch/root meson install -C "$build" --no-rebuild --quiet
  description=$(find "$scratch/root" -name vloop.pc)
  sed -i "s#^prefix=#prefix=$scratch/root#" "$description" # installed for another place than this one
  PKG_CONFIG_PATH=$(dirname "$description")${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  export PKG_CONFIG_PATH
  # shellcheck disable=SC2046,SC2086 # flags are words
  ${CXX:-c++} -std=c++20 "$source" -o "$program" ${CXXFLAGS:-} $(pkg-config --cflags --libs vloop)
  echo "ok: built with $(pkg-config --cflags --libs vloop | sed "s#$scratch#...#g")"
}

up_to_date() {
  [ -x "$program" ] && [ -z "$(find "$build/src/libvloop.a" "$source" -newer "$program")" ]
}

if [ -z "$reuse" ] || ! up_to_date; then build_example; fi

lines=$(sed -n '/^int main/,/^}$/p' "$source" | wc -l)
[ "$lines" -lt 15 ] || fail "main has $lines lines; it should have fewer than 15"

cd "$scratch"
status=0
timeout 10 "$program" missing.img > out 2> err || status=$?
if [ "$status" != 1 ] || [ "$(wc -l < err)" != 1 ] || ! grep -q missing.img err; then
  cat out err
  fail "a missing file: status $status, want 1 and one line that names it"
fi
echo "ok: $(cat err)"

if [ ! -e /dev/vloop ]; then
  echo 'no /dev/vloop here: the disk itself is served in the VM'
  exit 0
fi

# Random contents, so that reading them back proves which file is served.
dd if=/dev/urandom of=disk.img bs=1M count=4 status=none
"$program" disk.img > out 2> err &
server=$!
tries=0
while [ ! -s out ]; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || { cat err; fail 'no device after 10 s'; }
  kill -0 "$server" 2> /dev/null || { cat err; fail 'the example ended early'; }
  sleep 0.1
done
node=$(cat out)
[ -b "$node" ] || fail "'$node' is not a block device"
cmp "$node" disk.img || fail "$node does not read as disk.img"
kill -INT "$server"
wait "$server" || fail "status $? after SIGINT, want 0"
server=
[ ! -e "$node" ] || fail "$node is still there"
echo "ok: $node served by the example, read back, removed"
