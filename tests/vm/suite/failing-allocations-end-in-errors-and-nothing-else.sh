#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each allocation that a call of the module makes fails in turn, and each copy of the process's memory: the call says so or
# does without, and the device is as it was. Then those of the module's workers, by chance, during whole lives of devices:
# all of them end. The machine looks for leaks at its end.
# vm: --scratch 2G
# when: debug
# debug: yes
# timeout: 150
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

slab=/sys/kernel/debug/failslab pages=/sys/kernel/debug/fail_page_alloc
echo 0 >/sys/kernel/debug/fail_usercopy/verbose
for kind in $slab $pages; do
  echo 0 >"$kind/verbose"
  echo N >"$kind/ignore-gfp-wait"
done
echo 0 >$pages/min-order
raw a_device_is_made_or_not calls_on_a_device_fail_and_leave_it_as_it_was operations_fail_and_leave_their_request

# Only what has the module's text close above it: further up it is the drivers' own business how they bear it.
start=$(cat /sys/module/vloop/sections/.text)
bytes=$(size -A "$(modinfo -n vloop)" | awk '$1 == ".text" { print $2 }')
for kind in $slab $pages; do
  echo "$start" >"$kind/require-start"
  printf '%#x' $((start + bytes)) >"$kind/require-end"
  echo 12 >"$kind/stacktrace-depth"
  echo -1 >"$kind/times"
  echo 5 >"$kind/probability"
done
raw lives_of_devices_under_failing_allocations
for kind in $slab $pages; do echo 0 >"$kind/probability"; done
raw a_request_is_completed_once
