#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# After 50 more rounds of create, use and remove, the kernel holds no more memory and no more open files than before.
# vm: --scratch 2G
# timeout: 240
# shellcheck source=tests/vm/suite-lib/vloop.sh disable=SC2154
. "$tree/tests/vm/suite-lib/vloop.sh"

scratch_disk
image scratch/disk.img 8M

rounds() {
  local i
  for i in $(seq "$1"); do
    serve disk --device blk=scratch/disk.img,queues=2 --device rng
    read_directly "$(awk '$2 == "blk" { print $1 }' disk.out)" "$i"
    stop disk
  done
}

# Kilobytes that only the kernel itself uses.
unreclaimable() { awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo; }
virtual() { awk '/^VmallocUsed:/ { print $2 }' /proc/meminfo; }
available() { awk '/^MemAvailable:/ { print $2 }' /proc/meminfo; }
open_files() { awk '{ print $1 }' /proc/sys/fs/file-nr; }

# Work that the kernel put off is done before it is measured.
settle() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
  sleep 1
  echo 3 >/proc/sys/vm/drop_caches
}

# The caches whose number of objects grew most, to know where to look.
show_growth() {
  join <(sort caches) <(awk 'NR > 2 { print $1, $2, $4 }' /proc/slabinfo | sort) |
    awk '{ print ($4 - $2) * $3, $1, $2, $4 }' | sort -rn | awk 'NR <= 8'
}

rounds 10
settle
awk 'NR > 2 { print $1, $2, $4 }' /proc/slabinfo >caches
slab=$(unreclaimable) virtual=$(virtual) free=$(available) files=$(open_files)
rounds 50
settle
echo "slab $slab -> $(unreclaimable) kB, vmalloc $virtual -> $(virtual) kB, available $free -> $(available) kB, files $files -> $(open_files)"
show_growth
# One device is more than 100 kB: 50 of them would be far more than this.
at_most 'growth of slab in kB' $(($(unreclaimable) - slab)) 1024
at_most 'growth of vmalloc in kB' $(($(virtual) - virtual)) 1024
at_most 'memory lost in kB' $((free - $(available))) 4096
at_most 'growth of open files' $(($(open_files) - files)) 64
equal 'devices of the module left' "$(find /sys/class/vloop -mindepth 1 2>/dev/null | wc -l)" 0
