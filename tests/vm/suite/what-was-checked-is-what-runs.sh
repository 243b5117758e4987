#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An operation, or what a device is to be, that another thread changes while the module reads it. Whatever is seen, it is
# either refused or done as it was checked. And without the race: the processor counts how often the module reads it.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw an_operation_that_changes_while_it_is_read a_device_that_changes_while_it_is_created an_operation_is_read_once \
  arguments_are_read_once
