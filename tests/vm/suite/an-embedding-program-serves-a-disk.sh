#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The example, built against the installed library with pkg-config alone, serves a disk that reads as its file and is gone
# after SIGINT. The unit tests have built it, as a rule.
# vm: --scratch 2G
# timeout: 180
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

build=$(dirname "$(dirname "$(readlink -f "$(command -v vloop)")")")
expect 'the example' "$tree/tests/embed/installed_example.sh" --reuse "$build" "$tree/examples/serve_disk.cpp" >example.out
cat example.out
expect 'it served a disk here' grep -q 'served by the example, read back, removed' example.out
