# SPDX-License-Identifier: MIT
"""Direct transfers of one block whose memory is in two pages that do not follow each other.

usage: torn_page_io.py DISK
The block begins 512 bytes into a page and ends in the next one of the process, which in the memory of the machine is
another. So it is two segments, of 3584 and 512 bytes: neither is a block of a disk whose blocks have 4096 bytes.
Writes and reads back, and looks at the disk through the page cache. Exit status: 0 all was as written, 1 otherwise.
"""
import ctypes
import mmap
import os
import sys

PAGE = mmap.PAGESIZE
SHIFT = 512
MAP_FIXED = 0x10

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]


def two_pages(memory, order):
    """The pages of a file of two in this order, as one range of addresses."""
    place = mmap.mmap(-1, 2 * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(place))
    for i, page in enumerate(order):
        wanted = address + i * PAGE
        got = libc.mmap(wanted, PAGE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | MAP_FIXED, memory, page * PAGE)
        if got != wanted:
            sys.exit(f"mmap: {os.strerror(ctypes.get_errno())}")
    return place


def check(what, seen, expected):
    if seen != expected:
        sys.exit(f"{what} is not what was written")


def transfer(disk, cached, place, block):
    torn = memoryview(place)[SHIFT:SHIFT + PAGE]
    content = os.urandom(PAGE)
    torn[:] = content
    if os.pwritev(disk, [torn], block * PAGE) != PAGE:
        sys.exit("a short write")
    os.posix_fadvise(cached, 0, 0, os.POSIX_FADV_DONTNEED)
    check("what the page cache shows", os.pread(cached, PAGE, block * PAGE), content)
    torn[:] = bytes(PAGE)
    if os.preadv(disk, [torn], block * PAGE) != PAGE:
        sys.exit("a short read")
    check("what was read back", bytes(torn), content)


def main():
    disk = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
    cached = os.open(sys.argv[1], os.O_RDONLY)
    memory = os.memfd_create("pages")
    os.ftruncate(memory, 2 * PAGE)
    # They may follow each other in the machine's memory in one of these orders, but not in both.
    for block, order in enumerate(((0, 1), (1, 0))):
        transfer(disk, cached, two_pages(memory, order), block)


main()
