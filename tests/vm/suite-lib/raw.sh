# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The cases of tests/vm/raw: a server that plays against the module itself.

# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# Where the program was built: beside the one under test.
raw_program() { echo "$(dirname "$(dirname "$(readlink -f "$(command -v vloop)")")")/tests/vm/raw/$1"; }

# raw CASE...: it says itself what failed.
raw() { "$(raw_program vloop-raw)" "$@" >&"$report" || exit 1; }

# stress ARGUMENT...: the same for rounds of random calls, some of them by another user.
stress() {
  chmod 666 /dev/vloop
  "$(raw_program vloop-stress)" "$@" >&"$report" || exit 1
}

# The drivers are there before the devices: so a device that is live has been probed.
modprobe -a virtio_blk virtio_rng
