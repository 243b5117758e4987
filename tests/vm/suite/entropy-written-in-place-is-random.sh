#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# access=window: random bytes that are written into the driver's own buffer arrive there as they were.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

serve rng --device rng,access=window
within 5 'our rng is the current source' grep -q virtio_rng /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng of=random bs=500 count=200 iflag=fullblock status=none
expect 'the tests of FIPS 140-2' python3 "$suite_lib/fips_140_2.py" random 1
stop rng
equal 'errors' "$(statistic rng errors)" 0
at_least 'requests' "$(statistic rng completed)" 1000
equal 'bytes that the module copied' "$(statistic rng copied)" 0

# What goes in comes out; the kernel may have kept some bytes of the source before.
printf 'a line of fifteen\n%.0s' {1..20000} >text
serve rng --device rng=text,access=window
within 5 'our rng is the current source' grep -q virtio_rng /sys/class/misc/hw_random/rng_current
dd if=/dev/hwrng of=taken bs=1000 count=10 iflag=fullblock status=none
expect 'the text' grep -q 'a line of fifteen' taken
equal 'other bytes' "$(tail -c 9000 taken | tr -d 'a-z \n' | wc -c)" 0
stop rng
