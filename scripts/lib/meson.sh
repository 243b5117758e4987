# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Building with meson and running what it knows as tests.

# shellcheck source=scripts/lib/catch2.sh
. "${BASH_SOURCE[0]%/*}/catch2.sh"

# configure_with_meson FOLDER OPTION...: once; warnings are errors.
configure_with_meson() {
  local folder=$1
  shift
  [ -e "$folder/build.ninja" ] || quietly "$folder/setup.log" meson setup "$folder" "$tree" -Dwerror=true "$@"
}

build_with_meson() {
  configure_with_meson "$@" && quietly "$1/build.log" ninja -C "$1"
}

# meson_test_names FOLDER: one per line, without the "suite - " that meson puts before them.
meson_test_names() { meson test -C "$1" --list --no-rebuild 2>/dev/null | grep '^vloop' | sed 's/^.* \/ //'; }
