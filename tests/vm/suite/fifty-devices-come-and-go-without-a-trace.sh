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
# Pages that no counter of the kernel knows: what was taken from the page allocator itself. Each processor keeps some.
pages() {
  awk 'FILENAME ~ /zoneinfo/ && $1 == "count:" { kept += 4 * $2 }
    { kb[$1] = $2 }
    END { print kb["MemTotal:"] - kb["MemFree:"] - kb["Buffers:"] - kb["Cached:"] - kb["AnonPages:"] - kb["Slab:"] \
      - kb["KernelStack:"] - kb["PageTables:"] - kb["VmallocUsed:"] - kb["Percpu:"] - kept }' /proc/zoneinfo /proc/meminfo
}
open_files() { awk '{ print $1 }' /proc/sys/fs/file-nr; }

# Work that the kernel put off is done before it is measured.
settle() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
  sleep 1
  echo 3 >/proc/sys/vm/drop_caches
  # Pages on their way to be free count as used until then.
  echo 1 >/proc/sys/vm/compact_memory
}

# The caches whose number of objects grew most, to know where to look.
show_growth() {
  join <(sort caches) <(awk 'NR > 2 { print $1, $2, $4 }' /proc/slabinfo | sort) |
    awk '{ print ($4 - $2) * $3, $1, $2, $4 }' | sort -rn | awk 'NR <= 8'
}

rounds 10
settle
awk 'NR > 2 { print $1, $2, $4 }' /proc/slabinfo >caches
slab=$(unreclaimable) virtual=$(virtual) pages=$(pages) files=$(open_files)
rounds 50
settle
echo "slab $slab -> $(unreclaimable) kB, vmalloc $virtual -> $(virtual) kB, pages $pages -> $(pages) kB, files $files -> $(open_files)"
show_growth
# One of these devices is 280 kB, most of it pages, besides a few kB in each of the others. A kernel with KASAN keeps what
# was freed for a while, and kmemleak its books about all of it.
at_most 'growth of slab in kB' $(($(unreclaimable) - slab)) $((1024 * ${time_factor:-1}))
at_most 'growth of vmalloc in kB' $(($(virtual) - virtual)) 1024
at_most 'growth of other pages in kB' $(($(pages) - pages)) 1024
at_most 'growth of open files' $(($(open_files) - files)) 64
equal 'devices of the module left' "$(find /sys/class/vloop -mindepth 1 2>/dev/null | wc -l)" 0
