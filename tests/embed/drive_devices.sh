#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The example of devices and drivers in one process does what it says, and says what is wrong.
# usage: drive_devices.sh PROGRAM
set -eu

program=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

truncate -s 1M disk.img
timeout 60 "$program" disk.img > out
printf 'written and read back: 512 bytes\nthe mouse moved\n' | cmp - out
if head -c 512 disk.img | cmp -s -n 512 - /dev/zero; then
  echo 'FAILED: the disk is as it was'
  exit 1
fi

status=0
timeout 60 "$program" missing.img > out 2> err || status=$?
if [ "$status" != 1 ] || [ "$(wc -l < err)" != 1 ] || ! grep -q missing.img err; then
  cat err
  exit 1
fi
echo "ok: $(cat err)"
