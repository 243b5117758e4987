# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What in a kernel's log means that something went wrong.

# Every line by which the kernel, its lock checker, its sanitizers or its watchdogs report a fault.
bad_lines='WARNING: |BUG:|BUG [a-z]|kernel BUG at|Oops|general protection fault|Unable to handle kernel|Kernel panic'
bad_lines+='|blocked for more than|possible (circular|recursive|irq lock)|inconsistent lock state|suspicious RCU usage'
bad_lines+='|INFO: trying to register non-static key|detected .*stall|stalls on CPUs|soft lockup|hard LOCKUP'
bad_lines+='|KASAN: |UBSAN: |KCSAN: |unreferenced object|refcount_t:|list_(add|del) corruption|Bad page state'
# Said by the virtual machine itself when a check of the debug kernel had stopped working.
bad_lines+='|vm: fault: '
bad_lines+='|scheduling while atomic|sleeping function called|cannot create duplicate filename|stack-protector'
# Said by healthy kernels at start.
good_lines='Unprivileged eBPF is enabled'

# bad_kernel_lines LOG: prints them.
bad_kernel_lines() { grep -aE "$bad_lines" "$1" | grep -avE "$good_lines"; }

# first_fault LOG LINES: the first of them and the lines after it.
first_fault() {
  awk -v bad="$bad_lines" -v good="$good_lines" -v left="$2" \
    '!found && $0 ~ bad && $0 !~ good { found = 1 } found && left-- > 0' "$1"
}

# The emulator's own fault, seen with several threads at start, when the kernel rewrites its branches on the clock being
# stable: the only reason to try again.
emulator_fault() { grep -aq 'Kernel panic' "$1" && grep -aqE 'int3: 0000|RIP: .*(sched_clock|tick_nohz_stop_idle)' "$1"; }
