# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Which distribution this machine runs.

# shellcheck source=scripts/lib/common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# Sets `suite` to the Debian suite of this machine.
# shellcheck disable=SC2034 # for those who source this
detect_distribution() {
  local ID='' VERSION_ID='' VERSION_CODENAME='' PRETTY_NAME='this system'
  # shellcheck source=/dev/null
  [ -r /etc/os-release ] && . /etc/os-release
  suite=$VERSION_CODENAME
  case "$ID $VERSION_ID" in
    'debian 12' | 'debian 13') return ;;
  esac
  if ! command -v apt-get >/dev/null; then
    die "$PRETTY_NAME has no apt-get: these scripts set up Debian 12 and 13; see docs/ for what to install by hand"
  fi
  note "$PRETTY_NAME is untested (tested: Debian 12 and 13): going on as if it were Debian 13"
  suite=trixie
}

# Runs a command as root: directly if we are, through sudo otherwise.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (run it as root once, or install sudo)"
  fi
}
