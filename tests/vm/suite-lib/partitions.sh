# SPDX-License-Identifier: MIT
# shellcheck shell=bash

# make_partitions FILE FIRST+SECTORS...: a DOS partition table with up to four Linux partitions.
make_partitions() {
  python3 - "$@" <<'PYTHON'
import struct, sys
entries = b""
for word in sys.argv[2:]:
    first, sectors = map(int, word.split("+"))
    entries += struct.pack("<B3sB3sII", 0, b"\0\0\0", 0x83, b"\0\0\0", first, sectors)
with open(sys.argv[1], "r+b") as file:
    file.seek(446)
    file.write(entries.ljust(64, b"\0") + b"\x55\xaa")
PYTHON
}
