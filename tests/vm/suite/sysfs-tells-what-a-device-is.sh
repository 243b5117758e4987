#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The attributes of /sys/class/vloop tell the truth in every state, a uevent says when the state changes, and whoever reads
# them holds up nothing.
# vm: --scratch 2G
# timeout: 90
# debug: yes
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

chmod 666 /dev/vloop
raw attributes_say_what_the_calls_say files_are_told_one_in_a_line the_state_follows_the_device_and_is_told \
  the_owner_is_who_opened attributes_can_be_read_while_devices_go
