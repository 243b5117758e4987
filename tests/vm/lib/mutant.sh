# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The module with a line broken on purpose.

# shellcheck source=scripts/lib/common.sh
. "${BASH_SOURCE[0]%/*}/../../../scripts/lib/common.sh"

# mutate FILE SED: a line that is not there any more is a mutation that tests nothing.
mutate() {
  local before
  before=$(<"$1")
  sed -i "$2" "$1"
  if [ "$before" = "$(<"$1")" ]; then
    echo "nothing in ${1##*/} matches $2"
    return 1
  fi
}

# build_mutant_module KERNEL FILE SED OUT: module/ with FILE changed, built into OUT.
build_mutant_module() {
  local source=$4/source
  rm -rf "$source"
  mkdir -p "$4"
  cp -r "$tree/module" "$source"
  mutate "$source/$2" "$3" || return
  "$tree/scripts/build-module" --kernel "$1" --source "$source" --out "$4/module" >/dev/null
}
