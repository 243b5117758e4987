#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every command, every option of each, every device and every option of one is in the man page and in each shell's completion, so that
# none is forgotten when one is added.
# usage: options_documented.sh VLOOP PACKAGING_DIRECTORY
set -eu

help=$("$1" run --help)
commands='run list recover stop bench'
missing=0

for command in $commands; do
  "$1" --help | grep -q "^ *$command " || { echo "FAILED: --help does not know $command"; exit 1; }
done
all_help=$(for command in $commands; do "$1" "$command" --help; done)
options=$(echo "$all_help" | grep -o -E '(^|[ ,])--[a-z-]+' | tr -d ' ,' | sort -u)
devices=$(echo "$help" | sed -n '/^Devices:/,/^ *A comma/p' | grep -o -E '^ {2}[a-z-]+' | tr -d ' ' | sort -u)
device_options=$(echo "$help" | sed -n '/^Devices:/,/^ *A comma/p' | grep -o -E '^ {6}[a-z-]+' | tr -d ' ' | sort -u)
if [ "$(echo "$options" | wc -l)" -lt 14 ] || [ "$(echo "$device_options" | wc -l)" -lt 5 ] ||
  [ "$(echo "$devices" | wc -l)" -lt 4 ]; then
  echo 'FAILED: --help has another form than this test expects'
  exit 1
fi

for file in vloop.1 vloop.bash _vloop vloop.fish; do
  # In roff a hyphen is written \-; fish has no dashes before a long option's name.
  text=$(sed 's/\\-/-/g; s/ -l \([a-z-]*\)/ --\1/g' "$2/$file")
  for option in $commands $options $devices $device_options; do
    if ! echo "$text" | grep -q -w -- "$option"; then
      echo "FAILED: $file does not mention $option"
      missing=$((missing + 1))
    fi
  done
done
echo "$(echo "$commands" "$options" "$devices" "$device_options" | wc -w) words, $missing omissions"
[ "$missing" = 0 ]
