#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A server without rights: what the module's workers do for it is done with its rights, and a program of root that it
# makes write to its queue operates nothing. One that gave up its rights serves on.
# vm: --scratch 2G
# 6.1: yes
# debug: yes
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

chmod 666 /dev/vloop
raw a_write_takes_set_user_id_away a_program_of_root_cannot_be_made_to_operate a_server_that_gives_up_rights_serves_on
