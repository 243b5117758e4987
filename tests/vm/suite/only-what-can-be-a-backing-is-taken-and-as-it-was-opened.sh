#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pipes, sockets, folders, vloop descriptors, the disk itself, O_PATH, O_APPEND: refused. Files opened for reading are never
# written.
# vm: --scratch 2G
# timeout: 60
# shellcheck source=tests/vm/suite-lib/raw.sh disable=SC2154
. "$tree/tests/vm/suite-lib/raw.sh"

raw what_is_no_backing_is_refused files_are_used_as_they_were_opened a_file_that_is_appended_to_later_keeps_its_size
