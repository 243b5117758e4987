#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whoever may open /dev/vloop may serve and stop the devices that he made; root those of everybody.
# vm: --scratch 2G
# timeout: 120
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

chmod 666 /dev/vloop
ulimit -l unlimited
serve roots --device rng --recoverable
begin own "${as_nobody[@]}" vloop run --device rng --recoverable
within 20 "the other user's device" devices_there own 1
mine=$(device_id own)
roots=$(device_id roots)
equal 'its owner' "$(cat "/sys/class/vloop/vloop$mine/owner")" 65534
kill_server roots
kill_server own

refused "cannot recover vloop$roots.*not permitted.*only root and the user who created it" "${as_nobody[@]}" vloop recover "$roots"
refused "cannot stop vloop$roots.*only root and the user who created it" "${as_nobody[@]}" vloop stop "$roots"
equal 'its state' "$(state "$roots")" deserted

begin all "${as_nobody[@]}" vloop recover --all
within 20 'the one device that is his' devices_there all 1
equal 'which' "$(device_id all)" "$mine"
kill_server all
expect 'root stops it' vloop stop "$mine"
expect 'root stops its own' vloop stop "$roots"
chmod 600 /dev/vloop
refused 'Permission denied.*run as root' "${as_nobody[@]}" vloop stop 0
