# SPDX-License-Identifier: MIT
"""Prints how many pages of a file or block device are in the page cache (mincore)."""
import ctypes
import mmap
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]

fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.lseek(fd, 0, os.SEEK_END)
pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
# Mapping a page does not read it.
address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
if address == ctypes.c_void_p(-1).value or libc.mincore(address, size, pages) != 0:
    sys.exit(f"{sys.argv[1]}: {os.strerror(ctypes.get_errno())}")
print(sum(state & 1 for state in pages.raw))
