#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Reads that are answered well though nothing was filled in show zeros, and never what the memory held before; entropy is
# as long as what was filled in.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw what_an_answer_did_not_fill_reads_as_zeros what_a_failed_or_bare_answer_did_not_fill_reads_as_zeros \
  a_failed_answer_fails_the_read a_short_answer_shows_no_old_memory
