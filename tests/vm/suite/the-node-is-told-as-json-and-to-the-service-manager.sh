#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# --json gives an object a device; readiness comes once, when every device is there.
# vm: --scratch 2G
# timeout: 40
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

image disk.img 8M
python3 "$suite_lib/service_manager.py" manager.sock >told &
manager=$!
within 20 'the socket of the service manager' test -S manager.sock
NOTIFY_SOCKET=$PWD/manager.sock serve disk --json --device blk=disk.img,serial=abc --device rng
within 20 'a message to the service manager' has_lines told 1
equal 'the message' "$(cat told)" 'READY=1'
expect 'every line is an object that is as promised' python3 - <<'PYTHON'
import json
told = {one["device"]: one for one in map(json.loads, open("disk.out"))}
assert set(told) == {"blk", "rng"}, told
assert told["rng"]["node"] == "/dev/hwrng", told
assert told["blk"]["node"].startswith("/dev/vd") and told["blk"]["path"] == "disk.img", told
assert told["blk"]["virtio"].startswith("virtio"), told
PYTHON
disk=$(sed -n 's/.*"node":"\(\/dev\/vd[a-z]*\)".*/\1/p' disk.out)
equal 'the serial number' "$(cat "/sys/block/${disk##*/}/serial")" abc
stop disk
kill $manager
equal 'messages' "$(wc -l <told)" 1
