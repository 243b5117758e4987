#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Without CAP_SYS_RAWIO there is no window, neither for a new device nor for the next server of one; one line says so. What
# does not fit a device's way of access is refused.
# vm: --scratch 2G
# timeout: 90
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

without_the_right=(setpriv --bounding-set -sys_rawio --inh-caps -sys_rawio)

image disk.img 16M
refused 'needs CAP_SYS_RAWIO' "${without_the_right[@]}" vloop run --device blk=disk.img,access=window
refused 'needs CAP_SYS_RAWIO' "${without_the_right[@]}" vloop run --device rng,access=window
begin plain "${without_the_right[@]}" vloop run --device blk=disk.img
within 20 'a disk without a window' devices_there plain 1
equal 'how it is served' "$(cat "/sys/class/vloop/vloop$(device_id plain)/access")" mover
stop plain

serve first --device blk=disk.img,access=window --recoverable --grace 60s
id=$(device_id first)
equal 'how it is served' "$(cat "/sys/class/vloop/vloop$id/access")" window
kill_server first
refused 'needs CAP_SYS_RAWIO' "${without_the_right[@]}" vloop recover "$id"
refused 'it was made with a window' vloop recover "$id" --device blk=disk.img
recover next "$id"
expect 'a read' read_directly "$(node next)" 0
stop next

serve other --device blk=disk.img --recoverable --grace 60s
id=$(device_id other)
kill_server other
refused 'it was made without a window' vloop recover "$id" --device blk=disk.img,access=window
recover last "$id"
stop last
