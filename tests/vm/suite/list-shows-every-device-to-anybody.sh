#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# 'vloop list' tells what there is, as a table and as JSON, also without rights, without a device, and while devices come
# and go.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

equal 'the list without a device' "$(vloop list)" 'no devices'
equal 'the same as JSON' "$(vloop list --json)" ''

scratch_disk
image 'scratch/disk, one.img' 8M
serve disk --device 'blk=scratch/disk,, one.img,queues=2' --recoverable --grace 40s --device rng
id=$(device_id disk)
as_nobody vloop list >table
equal 'lines of the table' "$(wc -l <table)" 3
expect 'the disk in the table' grep -qE \
  "^vloop$id +$(node_of disk blk) +blk +live +${server_pid[disk]} +0 +$PWD/scratch/disk, one.img\$" table
expect 'the rng in the table' grep -qE "^vloop$(device_id disk 2) +/dev/hwrng +rng +live .* /dev/urandom\$" table

# check_json STATE PID|None RECOVERIES: of the disk.
check_json() {
  as_nobody vloop list --json >json
  disk_id=$id disk_node=$(node_of disk blk) state=$1 pid=$2 recoveries=$3 folder=$PWD python3 - <<'PYTHON'
import json, os
env = os.environ
disk = [one for one in map(json.loads, open("json")) if one["id"] == "vloop" + env["disk_id"]][0]
path = env["folder"] + "/scratch/disk, one.img"
expected = {"node": env["disk_node"], "device": "blk", "device_id": 2, "state": env["state"], "pid": eval(env["pid"]),
            "recoveries": int(env["recoveries"]), "on_exit": "reissue", "grace_ms": 40000, "owner": 0, "backing": path,
            "files": [path]}
assert {key: disk[key] for key in expected} == expected, disk
assert disk["virtio"].startswith("virtio"), disk
assert disk["description"] == "vloop/1 poll=50 blk=%s,queues=2,queue-size=256,direct=auto" % path.replace(",", ",,"), disk
PYTHON
}
expect 'the disk as JSON' check_json live "${server_pid[disk]}" 0
kill_server disk
within 2 'a deserted disk' is_in_state "$id" deserted
expect 'the deserted disk as JSON' check_json deserted None 0
vloop list >table
expect 'the deserted disk in the table' grep -qE "^vloop$id +$(node_of disk blk) +blk +deserted +- +0 " table
equal 'devices that are gone' "$(vloop stop "$id" "$(device_id disk 2)" | sort)" "$(printf 'vloop%s is gone\n' "$id" \
  "$(device_id disk 2)" | sort)"
equal 'the list in the end' "$(vloop list)" 'no devices'

# While devices come and go, whatever is read vanishes now and then.
: >many
while [ ! -e enough ]; do
  vloop list >>many 2>&1 && vloop list --json >>many.json 2>&1 || echo "status $?" >>many
done &
looker=$!
times_listed() { grep -c ' blk ' many || true; }
is_listed_again() { [ "$(times_listed)" -gt "$before" ]; }
for round in 1 2; do
  before=$(times_listed)
  serve "round$round" --device "blk=scratch/disk,, one.img" --device rng
  within 10 "a list with the disk of round $round" is_listed_again
  stop "round$round"
done
touch enough
wait $looker
expect_failure 'lists that failed' grep -E 'status|vloop: ' many many.json
expect 'every line is JSON' python3 -c 'import json; [json.loads(line) for line in open("many.json")]'
