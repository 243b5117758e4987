#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every option of `vloop run`, and every option of a device, is in the man page and in each shell's completion, so that
# none is forgotten when one is added.
# usage: options_documented.sh VLOOP PACKAGING_DIRECTORY
set -eu

help=$("$1" run --help)
missing=0

options=$(echo "$help" | grep -o -E '(^|[ ,])--[a-z-]+' | tr -d ' ,' | sort -u)
device_options=$(echo "$help" | sed -n '/^Devices:/,/^ *A comma/p' | grep -o -E '^ {6}[a-z-]+' | tr -d ' ' | sort -u)
if [ "$(echo "$options" | wc -l)" -lt 6 ] || [ "$(echo "$device_options" | wc -l)" -lt 5 ]; then
  echo 'FAILED: --help has another form than this test expects'
  exit 1
fi

for file in vloop.1 vloop.bash _vloop vloop.fish; do
  # In roff a hyphen is written \-; fish has no dashes before a long option's name.
  text=$(sed 's/\\-/-/g; s/ -l \([a-z-]*\)/ --\1/g' "$2/$file")
  for option in $options $device_options; do
    if ! echo "$text" | grep -q -- "$option"; then
      echo "FAILED: $file does not mention $option"
      missing=$((missing + 1))
    fi
  done
done
echo "$(echo "$options" "$device_options" | wc -w) options, $missing omissions"
[ "$missing" = 0 ]
