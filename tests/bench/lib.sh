# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the scripts here share: a scratch folder, and what is expected of a run of `vloop bench`. Nothing here looks at how
# fast something was.

: "${vloop:?the program, which whoever includes this has set}"
scratch=$(mktemp -d "$PWD/bench-test.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failures=0

failed() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# holds WHAT CONDITION: of the JSON in 'out', as jq has it.
holds() {
  if [ -s out ] && jq -e "$2" out > /dev/null; then
    echo "ok: $1"
  else
    failed "$1: not so: $2: $(cat out)"
  fi
}

# measured STATUS ARGUMENT...: runs it, with JSON that is one well-formed line in 'out', and nothing on standard error.
measured() {
  status=$1
  shift
  timeout 60 "$vloop" bench --json "$@" > out 2> err
  got=$?
  if [ "$got" != "$status" ] || [ -s err ] || [ "$(wc -l < out)" != 1 ] || ! jq -e . out > /dev/null; then
    failed "vloop bench --json $*: status $got (want $status): $(cat out err)"
    echo '{}' > out
  fi
}

# refused STATUS PATTERN ARGUMENT...: one line with PATTERN on standard error, nothing on standard output.
refused() {
  status=$1 pattern=$2
  shift 2
  timeout 60 "$vloop" bench "$@" > out 2> err
  got=$?
  if [ "$got" = "$status" ] && [ "$(wc -l < err)" = 1 ] && [ ! -s out ] && grep -q '^vloop: ' err &&
    grep -q -- "$pattern" err; then
    echo "ok: vloop bench $*: $(cat err)"
  else
    failed "vloop bench $*: status $got (want $status), want one line with '$pattern': $(cat err out)"
  fi
}

finish() {
  echo "$failures failed"
  [ "$failures" = 0 ]
}
