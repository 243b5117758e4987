# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Which accelerator runs the virtual machine. A /dev/kvm that can be opened may still fail every guest, so a guest is booted
# on it once and the answer kept until the host is rebooted.

# shellcheck source=scripts/lib/kernels.sh
. "${BASH_SOURCE[0]%/*}/../../../scripts/lib/kernels.sh"

# accelerator IMAGE: prints kvm or tcg.
accelerator() {
  local answer
  answer=$cache/kvm-$(qemu-system-x86_64 --version | head -n 1 | sha256sum | cut -c1-8)-$(cat /proc/sys/kernel/random/boot_id)
  [ -e "$answer" ] || locked "$cache/kvm.lock" probe_kvm "$1" "$answer"
  cat "$answer"
}

probe_kvm() {
  local image=$1 answer=$2 result=tcg
  [ ! -e "$answer" ] || return 0
  rm -f "$cache"/kvm-*
  if [ -w /dev/kvm ] && kvm_boots "$image"; then result=kvm; fi
  echo "$result" >"$answer"
}

# Without a root file system the kernel panics at the end of its start: having got there is the proof.
kvm_boots() {
  say "trying whether /dev/kvm runs a guest (once per boot of this machine)"
  timeout -k 5 30 qemu-system-x86_64 -M q35 -accel kvm -cpu host -m 512 -display none -vga none -net none -no-reboot \
    -serial stdio -kernel "$1" -append 'console=ttyS0 panic=-1' </dev/null 2>/dev/null |
    grep -q 'Unable to mount root fs'
}
