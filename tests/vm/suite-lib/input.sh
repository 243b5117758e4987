# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A virtual event device (tests/vm/input) for tests of the input device to mirror.

# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

answer_wait_max=$((150 * ${time_factor:-1}))

# Where the program was built: beside the one under test.
input_program() { echo "$(dirname "$(dirname "$(readlink -f "$(command -v vloop)")")")/tests/vm/input/vloop-input"; }

# virtual_device mixed|keyboard|touch: makes one; sets 'source_node' to its /dev/input/eventN.
virtual_device() {
  mkfifo virtual.commands virtual.answers
  "$(input_program)" "$1" <virtual.commands >virtual.answers 2>&1 &
  virtual_pid=$!
  exec {virtual_commands}>virtual.commands {virtual_answers}<virtual.answers
  virtual_answer "making it"
  # shellcheck disable=SC2034 # for the test
  source_node=$answer
}

# virtual COMMAND...: what its first page lists; sets 'answer'.
virtual() {
  virtual_begin "$@"
  virtual_answer "$@"
}

# The same in two halves, for what happens meanwhile.
virtual_begin() { echo "$*" >&"$virtual_commands"; }
virtual_answer() {
  local line=''
  read -rt $answer_wait_max -u "$virtual_answers" line || fail "the virtual device says nothing to: $*"
  case $line in
    ok*) answer=${line#ok} answer=${answer# } ;;
    *) fail "the virtual device: $line" ;;
  esac
}

# To close the pipe would not do: a server that was started meanwhile has it too.
unplug_virtual_device() {
  virtual_begin unplug
  exec {virtual_commands}>&- {virtual_answers}<&-
  within 10 'the end of the virtual device' has_ended "$virtual_pid"
}

# input_virtio NODE: its virtioN.
input_virtio() { basename "$(readlink -f "/sys/class/input/${1##*/}/device/device")"; }

# An input node of a driver that was bound again: sets 'mirrored'.
find_mirrored() {
  local node
  for node in "/sys/bus/virtio/devices/$1"/input/input*/event*; do
    [ -e "/dev/input/${node##*/}" ] || continue
    # shellcheck disable=SC2034 # for the test
    mirrored=/dev/input/${node##*/}
    return 0
  done
  return 1
}

# counted NAME WORD: from the summary that a server of one input device leaves in its log.
counted() { sed -n "s/.*reports told.*\<$2 \([0-9]*\).*/\1/p" "$1.log"; }

modprobe -a uinput evdev virtio_input
within 10 /dev/uinput test -e /dev/uinput
