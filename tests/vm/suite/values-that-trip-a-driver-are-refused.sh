#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a device says of itself, where the stock drivers trust it.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw values_that_trip_the_disk_driver_are_refused features_that_nobody_checks_are_refused \
  features_of_the_transport_are_what_the_module_has queues_must_answer_as_their_class_needs
