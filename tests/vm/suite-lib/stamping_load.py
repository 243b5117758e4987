# SPDX-License-Identifier: MIT
"""A load on a disk that checks every byte it reads, and goes on when the disk goes away and comes back.

Each thread writes and reads 4 KiB blocks of a region of its own, directly. Every sector of a block says where it is and
which write it was. After a write that failed either the old or the new sector may be there; whatever is read once stays.
At SIGTERM everything is read once more.

usage: stamping_load.py PLACE [--megabytes N] [--threads N] [--errors-allowed]
  PLACE  a node, or the folder that has the disk's name in it, such as /sys/bus/virtio/devices/virtio3/block
Prints 'open N' when all threads have written for the Nth time after opening the disk, and what it did at its end.
Exit status: 0 all as it must be, 1 wrong data or an error that is not allowed.
"""
import argparse
import collections
import mmap
import os
import random
import signal
import struct
import sys
import threading
import time

BLOCK = 4096
SECTOR = 512
BLOCKS_OF_A_TRANSFER = (1, 1, 1, 1, 2, 5, 16)
SECONDS_WITHOUT_DISK = 60
RUN = random.getrandbits(63)

stopping = threading.Event()
lock = threading.Lock()
counts = collections.Counter()
opened = collections.Counter()


def fail(text):
    print(f"FAILED: {text}", flush=True)
    os._exit(1)


def sector(number, write):
    return struct.pack("<QQQQ", RUN, number, write, (number * 0x9E3779B97F4A7C15 ^ write) & 0xFFFFFFFFFFFFFFFF) * 16


def block(number, write):
    return b"".join(sector(number * 8 + i, write) for i in range(8))


def find(place):
    """The disk's node, and what tells it from the one that takes its place later."""
    if not os.path.isdir(place):
        return place, None
    name = os.listdir(place)[0]
    return os.path.join("/dev", name), os.stat(os.path.join(place, name)).st_ino


class Region:
    def __init__(self, arguments, index, first, blocks):
        self.arguments, self.index, self.first, self.blocks = arguments, index, first, blocks
        self.random = random.Random(index)
        self.buffer = mmap.mmap(-1, BLOCK * max(BLOCKS_OF_A_TRANSFER))
        self.possible = {}  # block -> the writes of which its sectors may be; unknown until the first write
        self.write = 0
        self.fd = -1
        self.lost = None  # what went away; opening its node again would only ask for a driver of it
        self.disk = None
        self.times_opened = 0

    def open(self):
        deadline = time.monotonic() + SECONDS_WITHOUT_DISK
        while not self.try_open():
            if not self.arguments.errors_allowed or time.monotonic() > deadline:
                fail(f"no disk at {self.arguments.place}")
            time.sleep(0.02)

    def try_open(self):
        try:
            node, self.disk = find(self.arguments.place)
            if self.disk is not None and self.disk == self.lost:
                return False
            self.fd = os.open(node, os.O_RDWR | os.O_DIRECT)
            return True
        except (OSError, IndexError):
            return False

    def close(self):
        os.close(self.fd)
        self.fd = -1
        self.lost = self.disk

    def extent(self):
        count = min(self.random.choice(BLOCKS_OF_A_TRANSFER), self.blocks)
        return self.first + self.random.randrange(self.blocks - count + 1), count

    def write_some(self):
        first, count = self.extent()
        self.write += 1
        for i in range(count):
            self.buffer[i * BLOCK:(i + 1) * BLOCK] = block(first + i, self.write)
        whole = False
        try:
            with memoryview(self.buffer)[:count * BLOCK] as data:
                whole = os.pwrite(self.fd, data, first * BLOCK) == count * BLOCK
            if not whole:
                raise OSError("short write")
        finally:
            for number in range(first, first + count):
                old = set() if whole else self.possible.get(number, {None})
                self.possible[number] = old | {self.write}
        counts["writes"] += 1

    def read_some(self):
        first, count = self.extent()
        self.read(first, count)

    def read(self, first, count):
        with memoryview(self.buffer)[:count * BLOCK] as data:
            if os.preadv(self.fd, [data], first * BLOCK) != count * BLOCK:
                raise OSError("short read")
        for i in range(count):
            self.check(first + i, self.buffer[i * BLOCK:(i + 1) * BLOCK])
        counts["reads"] += 1

    def check(self, number, data):
        possible = self.possible.get(number)
        if possible is None:
            return
        found = set()
        for i in range(8):
            content = data[i * SECTOR:(i + 1) * SECTOR]
            run, place, write, _ = struct.unpack_from("<QQQQ", content)
            if None in possible and run != RUN:
                write = None
            elif content != sector(number * 8 + i, write) or write not in possible:
                fail(f"sector {number * 8 + i}: holds sector {place} of write {write} of run {run:x}, "
                     f"expected a write of {possible} of run {RUN:x}")
            found.add(write)
        self.possible[number] = found

    def say_open(self):
        self.times_opened += 1
        with lock:
            opened[self.times_opened] += 1
            if opened[self.times_opened] == self.arguments.threads:
                print(f"open {self.times_opened}", flush=True)

    def work(self):
        while not stopping.is_set():
            self.open()
            try:
                self.write_some()
                self.say_open()
                while not stopping.is_set():
                    step = self.random.randrange(100)
                    if step < 50:
                        self.write_some()
                    elif step < 98:
                        self.read_some()
                    else:
                        os.fsync(self.fd)
                        counts["flushes"] += 1
            except OSError as error:
                counts["errors"] += 1
                if not self.arguments.errors_allowed:
                    fail(f"an error: {error}")
            self.close()

    def check_all(self):
        self.lost = None
        self.open()
        step = max(BLOCKS_OF_A_TRANSFER)
        for first in range(0, self.blocks, step):
            self.read(self.first + first, min(step, self.blocks - first))
        self.close()


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("place")
    parser.add_argument("--megabytes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--errors-allowed", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    blocks = arguments.megabytes * 1024 * 1024 // BLOCK // arguments.threads
    regions = [Region(arguments, i, i * blocks, blocks) for i in range(arguments.threads)]
    threads = [threading.Thread(target=region.work, daemon=True) for region in regions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for region in regions:
        region.check_all()
    print(", ".join(f"{name} {counts[name]}" for name in ("writes", "reads", "flushes", "errors")), flush=True)


sys.excepthook = lambda *what: fail(f"{what[0].__name__}: {what[1]}")
threading.excepthook = lambda what: fail(f"{what.exc_type.__name__}: {what.exc_value}")
main()
