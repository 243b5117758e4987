# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The program that is measured, unless another one is named.

# shellcheck source=scripts/lib/meson.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib/meson.sh"

# Sets 'bin'.
build_release() {
  bin=$build/bench
  say "building vloop as a release"
  build_with_meson "$bin" --buildtype=release -Dtests=false
}
