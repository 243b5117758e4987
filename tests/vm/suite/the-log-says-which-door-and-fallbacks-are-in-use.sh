#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The log names the kernel, the door and the ring's flags, and what is done without: here direct I/O.
# vm: --scratch 2G
# timeout: 60
# 6.1: yes
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

# said TEXT: in a line of the log.
said() { grep -qF -- "$1" disk.log; }
not_said() { ! said "$1"; }

image disk.img 8M # on tmpfs
serve disk --log-level info --device blk=disk.img --threads 1
expect 'a write' write_directly "$(node disk)" 3
stop disk
cat disk.log

abi=$(sed -n 's/^#define VLOOP_ABI_VERSION[[:space:]]*//p' "$tree/module/uapi/linux/vloop.h")
expect 'the transport' said "transport: Linux $(uname -r), module ABI $abi, door: read/write, available ring mapped"
flags='SUBMIT_ALL|SINGLE_ISSUER|DEFER_TASKRUN|COOP_TASKRUN|TASKRUN_FLAG'
expect 'the runtime' said "runtime: 1 worker(s), io_uring with $flags"
expect 'no fallback of the runtime' not_said 'fallback: '

# Linux 6.1 refuses direct I/O on tmpfs, 6.12 accepts it.
expect 'that its tmpfs is no disk' said 'buffered I/O: '
