# SPDX-License-Identifier: MIT
"""Kills the server of a disk over and over, at chosen moments, and has it recovered; tells what a reader of it waits.

usage: kill_rounds.py --id N --node /dev/vdX --server PID [--rounds N] [--moments NAME,...] [--seed N] [--json]
Takes the moments in turn:
  any        a random time after the last round, with whatever is under way then
  flush      an operation of the backing's flush has just begun
  transfer   a transfer that nobody waits for has just begun
  twice      as 'any', and the next server again as soon as its first request is completed
  attached   as 'any', and the next server too when it has just attached
  starting   as 'any', and two more while they start, a random part of the time after which one has attached
  waiting    the server is stopped, and who waits in ATTACH to take over from it is killed; it must serve on; then 'any'
Prints a line for each round and a summary, or JSON. The last server is killed too, and nobody recovers from that.
Exit status: 0 the disk was served after every kill, 1 otherwise, with the reason.
"""
import argparse
import json
import mmap
import os
import random
import re
import select
import signal
import statistics
import subprocess
import sys
import threading
import time

FACTOR = int(os.environ.get("time_factor", "1"))
PATIENCE = 40 * FACTOR
TRACING = "/sys/kernel/tracing"
READER_PAUSE = 0.002
ANY = (0.1, 1.0)  # seconds after the last round
VERSIONS = 9
SETTLING = 0.5  # until all who use the disk wait for it
EVENT = re.compile(r" (\d+\.\d+): (\w+): (.*)")
OPERATION = re.compile(r"(?P<which>queue=\d+ head=\d+ seq=\d+) (?P<verb>[-a-z]+)")


class Failed(Exception):
    pass


def until(what, look):
    deadline = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failed(f"not within {PATIENCE} s: {what}")
        time.sleep(0.001)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def milliseconds(seconds):
    return round(seconds * 1000, 1)


class Reader(threading.Thread):
    """Reads a sector directly, over and over, and keeps how long each read took."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.fd = os.open(node, os.O_RDONLY | os.O_DIRECT)
        self.page = mmap.mmap(-1, 4096)
        self.reads = []  # (begin, end)
        self.error = None
        self.enough = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.enough.is_set():
                begin = time.monotonic()
                if os.preadv(self.fd, [self.page], 0) != 4096:
                    raise OSError("short read")
                self.reads.append((begin, time.monotonic()))
                time.sleep(READER_PAUSE)
        except OSError as error:
            self.error = error

    def check(self):
        if self.error:
            raise Failed(f"a read of the disk: {self.error}")

    def stop(self):
        """Who waits for a disk can't end before it answers."""
        self.enough.set()
        self.join(PATIENCE)
        self.check()

    def ended_since(self, moment):
        self.check()
        return [read for read in self.reads[-1000:] if read[1] > moment]

    def longest_since(self, moment):
        return max(end - begin for begin, end in self.ended_since(moment))


class Trace:
    """An instance of the kernel's tracing, with some of the module's events and the call of ATTACH."""

    def __init__(self, name):
        self.folder = f"{TRACING}/instances/{name}"
        if not os.path.isdir(self.folder):
            os.mkdir(self.folder)
        write(f"{self.folder}/trace_clock", "mono")
        write(f"{self.folder}/options/overwrite", "0")  # what comes first counts
        write(f"{self.folder}/tracing_on", "0")

    def enable(self, event, only=None):
        if only:
            write(f"{self.folder}/events/{event}/filter", only)
        write(f"{self.folder}/events/{event}/enable", "1")

    def begin(self):
        write(f"{self.folder}/trace", "")
        write(f"{self.folder}/tracing_on", "1")

    def end(self):
        """Returns [(seconds, event, text)] in order."""
        write(f"{self.folder}/tracing_on", "0")
        with open(f"{self.folder}/trace", encoding="ascii", errors="replace") as file:
            found = [EVENT.search(line) for line in file]
        return sorted((float(match[1]), match[2], match[3]) for match in found if match)

    def wait_for_any(self):
        """Returns at the next event from now on."""
        self.begin()
        with open(f"{self.folder}/trace_pipe", "rb", buffering=0) as pipe:
            ready, _, _ = select.select([pipe], [], [], PATIENCE)
        write(f"{self.folder}/tracing_on", "0")
        if not ready:
            raise Failed(f"not within {PATIENCE} s: an event to kill at")

    def remove(self):
        write(f"{self.folder}/events/enable", "0")
        os.rmdir(self.folder)


class Probe:
    """An event for the call of ATTACH, which has no tracepoint: it is the same for whoever calls it."""

    def __enter__(self):
        self.change("p:vloop_rounds/vloop_attach vloop:vloop_attach")
        return self

    def __exit__(self, *_):
        self.change("-:vloop_rounds/vloop_attach")

    @staticmethod
    def change(line):
        # Neither truncated, which would end the probes of others, nor sought, which it refuses.
        fd = os.open(f"{TRACING}/kprobe_events", os.O_WRONLY | os.O_APPEND)
        os.write(fd, line.encode())
        os.close(fd)


class Device:
    def __init__(self, number, node):
        self.number, self.node = number, node
        self.folder = f"/sys/class/vloop/vloop{number}"

    def attribute(self, name):
        try:
            with open(f"{self.folder}/{name}", encoding="ascii") as file:
                return file.read().strip()
        except OSError as error:
            raise Failed(f"vloop{self.number} is gone: {error}") from error

    def server(self):
        return int(self.attribute("server_pid"))

    def recoveries(self):
        return int(self.attribute("recoveries"))

    def writes(self):
        with open(f"/sys/block/{os.path.basename(self.node)}/stat", encoding="ascii") as file:
            return int(file.read().split()[4])


class Server:
    """A vloop process; the first one is somebody else's child."""
    started = 0

    def __init__(self, pid, child=None):
        self.pid, self.child = pid, child
        self.fd = os.pidfd_open(pid)

    @classmethod
    def recovering(cls, device, *words):
        cls.started += 1
        with open(f"recovered{cls.started}.log", "wb") as log:
            child = subprocess.Popen(["vloop", "recover", str(device.number), *words], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=log)
        return cls(child.pid, child)

    def has_ended(self):
        return bool(select.select([self.fd], [], [], 0)[0])

    def kill(self):
        signal.pidfd_send_signal(self.fd, signal.SIGKILL)
        if not select.select([self.fd], [], [], PATIENCE)[0]:
            raise Failed(f"server {self.pid} does not die within {PATIENCE} s")
        if self.child:
            self.child.wait()
        os.close(self.fd)

    def send(self, number):
        signal.pidfd_send_signal(self.fd, number)


class Rounds:
    def __init__(self, arguments):
        self.random = random.Random(arguments.seed)
        self.device = Device(arguments.id, arguments.node)
        self.server = Server(arguments.server)
        self.attach_takes = 0.3  # seconds from starting a process to its ATTACH; measured as we go
        self.version = 0.0
        self.results = []
        self.attach_probe = Probe().__enter__()
        self.trace = Trace("vloop_rounds")
        self.trace.enable("vloop/vloop_complete")
        self.trace.enable("vloop/vloop_op")
        self.trace.enable("vloop/vloop_op_end")
        self.trace.enable("vloop_rounds/vloop_attach")
        self.flushes = Trace("vloop_flushes")
        self.flushes.enable("vloop/vloop_op", "verb == 5")
        self.transfers = Trace("vloop_transfers")
        self.transfers.enable("vloop/vloop_op", "verb == 1 || verb == 2")
        self.reader = Reader(arguments.node)

    def close(self):
        for trace in (self.trace, self.flushes, self.transfers):
            trace.remove()
        self.attach_probe.__exit__()

    # ---- moments ----

    def any(self):
        time.sleep(self.random.uniform(*ANY))

    def flush(self):
        self.flushes.wait_for_any()

    def transfer(self):
        self.transfers.wait_for_any()

    twice = attached = starting = any

    def waiting(self):
        """Somebody dies while the server is asked to hand over; it must not do so when nobody waits any more."""
        before = self.device.recoveries()
        self.server.send(signal.SIGSTOP)
        heir = Server.recovering(self.device, "--take-over", "--timeout", "60s")
        time.sleep(self.attach_takes * 2 + 0.2)
        if heir.has_ended():
            raise Failed("who takes over from a stopped server does not wait for it")
        heir.kill()
        self.server.send(signal.SIGCONT)
        self.see_it_served()
        if self.device.server() != self.server.pid or self.device.recoveries() != before:
            raise Failed("the server that was asked to hand over does not serve any more")
        self.any()

    # ---- what follows the kill ----

    def recover(self):
        self.server = Server.recovering(self.device)

    def has_attached(self):
        if self.server.has_ended():
            raise Failed(f"the recovering process ended: see recovered{Server.started}.log")
        return self.device.server() == self.server.pid

    def kill_successors(self, moment):
        """How many were killed; the next one may live."""
        if moment == "attached":
            self.recover()
            until("a server that attaches", self.has_attached)
            self.server.kill()
            return 1
        if moment == "starting":
            for _ in range(2):
                self.recover()
                time.sleep(self.attach_takes * self.random.uniform(0.3, 1.2))
                self.server.kill()
            return 2
        if moment == "twice":
            begin = time.monotonic()
            self.recover()
            until("a request that is completed", lambda: self.reader.ended_since(begin))
            self.server.kill()
            return 1
        return 0

    def see_it_served(self):
        begin = time.monotonic()
        until("a read that ends", lambda: [read for read in self.reader.ended_since(begin) if read[0] > begin])

    # ---- a round ----

    def wait_for_load(self):
        before = self.device.writes()
        until("a load", lambda: self.device.writes() >= before + 20)

    def measure_version(self):
        """What it takes to start vloop as it is started in a round: while all others wait for the disk."""
        self.wait_for_load()
        self.server.kill()
        time.sleep(SETTLING)
        times = []
        for _ in range(VERSIONS):
            begin = time.monotonic()
            subprocess.run(["vloop", "--version"], check=True, stdout=subprocess.DEVNULL)
            times.append(time.monotonic() - begin)
        self.recover()
        until("the device has a server", self.has_attached)
        self.see_it_served()
        self.version = statistics.median(times)

    def run(self, moment):
        self.wait_for_load()
        getattr(self, moment)()
        self.trace.begin()
        killed = time.monotonic()
        self.server.kill()
        died = time.monotonic()
        more = self.kill_successors(moment)
        began = time.monotonic()
        self.recover()
        until("the device has a server", self.has_attached)
        self.see_it_served()
        gap = self.reader.longest_since(killed)
        self.results.append(self.account(moment, more, killed, died, began, gap))

    def account(self, moment, more, killed, died, began, gap):
        events = self.trace.end()
        attach = max(time for time, event, _ in events if event == "vloop_attach")
        first = min((time for time, event, _ in events if event == "vloop_complete" and time > attach), default=None)
        if first is None:
            raise Failed("no completion after ATTACH in the trace")
        self.attach_takes = attach - began
        orphans = orphans_in(events, died)
        return {"moment": moment, "more_kills": more, "dying": milliseconds(died - killed),
                "until_attach": milliseconds(attach - began), "module": milliseconds(first - attach),
                "gap": milliseconds(gap), "gap_without_version": milliseconds(gap - self.version),
                "orphan_flushes": orphans.count("sync-file"),
                "orphan_transfers": len(orphans) - orphans.count("sync-file")}


def orphans_in(events, died):
    """The verbs of the operations that had begun when their server died, and ended later."""
    began, orphans = {}, []
    for moment, event, text in events:
        match = OPERATION.search(text)
        if event == "vloop_op":
            began[match["which"]] = moment
        elif event == "vloop_op_end" and moment > died and began.get(match["which"], 0) < died:
            orphans.append(match["verb"])
    return orphans


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def say(number, result):
    print(f"{number:3} {result['moment']:9} killed {1 + result['more_kills']}, died in {result['dying']} ms, attached "
          f"{result['until_attach']} ms after its start, first completion {result['module']} ms later; reader waited "
          f"{result['gap']} ms; outlived their server: "
          f"{result['orphan_transfers']} transfers, {result['orphan_flushes']} flushes", flush=True)


def summary(results, version):
    plain = [result for result in results if not result["more_kills"]]
    lines = [("kills", str(sum(1 + result["more_kills"] for result in results))),
             ("operations that outlived their server", f"{sum(r['orphan_transfers'] for r in results)} transfers, "
              f"{sum(r['orphan_flushes'] for r in results)} flushes"),
             ("ATTACH to first completion, ms", spread([result["module"] for result in results]))]
    if plain:
        lines += [("a reader's wait, one kill, ms", spread([result["gap"] for result in plain])),
                  ("vloop --version, ms", str(milliseconds(version))),
                  ("that wait without --version, ms", spread([result["gap_without_version"] for result in plain]))]
    for name, value in lines:
        print(f"{name}: {value}")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", type=int, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--moments", default="any,flush,twice,transfer,attached,any,starting,waiting,twice,starting")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse()
    print(f"seed {arguments.seed}", file=sys.stderr)
    moments = arguments.moments.split(",")
    rounds = Rounds(arguments)
    recoveries = rounds.device.recoveries()
    try:
        rounds.measure_version()
        for number in range(1, arguments.rounds + 1):
            rounds.run(moments[(number - 1) % len(moments)])
            if not arguments.json:
                say(number, rounds.results[-1])
        rounds.reader.stop()
        if rounds.device.recoveries() < recoveries + arguments.rounds + 1:
            raise Failed("sysfs counts fewer recoveries than there were")
    except Failed as failure:
        print(f"FAILED: round {len(rounds.results) + 1}: {failure}", flush=True)
        os._exit(1)
    rounds.server.kill()
    rounds.close()
    if arguments.json:
        print(json.dumps({"version": milliseconds(rounds.version), "rounds": rounds.results}))
    else:
        summary(rounds.results, rounds.version)


main()
