# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Where things are, and how the scripts speak. Sourced by every script; sourcing it changes nothing on the machine.

# The tree that this file belongs to: a clone anywhere works.
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# What is built from the tree. Several builds side by side: set VLOOP_BUILD.
build=${VLOOP_BUILD:-$tree/build}
# What is fetched from the distribution (kernels, Catch2) and reused by every clone of this user.
cache=${VLOOP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vloop}
export VLOOP_BUILD=$build VLOOP_CACHE=$cache

# What is being done, for the person watching. On stderr: stdout is for results.
say() { printf '%s\n' "== $*" >&2; }
note() { printf '%s\n' "   $*" >&2; }
die() {
  printf '%s\n' "${0##*/}: $*" >&2
  exit 1
}

# Runs a command with its output in a log, which is shown only if it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 && return
  local status=$?
  tail -n 60 "$log" >&2
  note "failed ($status): $*"
  note "the whole log: $log"
  return "$status"
}

# Runs a command while holding a lock: scripts of this tree may run side by side on one cache or build folder. The first
# failure ends the command, also where the caller goes on after failures or bash forgets -e, as in a substitution; not
# where the caller asks for the status (if, ||), so don't.
locked() {
  local lock=$1
  shift
  mkdir -p "$(dirname "$lock")"
  (
    set -e
    flock 9
    "$@"
  ) 9>"$lock"
}
