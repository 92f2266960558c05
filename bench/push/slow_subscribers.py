#!/usr/bin/env python3
"""Very many subscribers that read nothing beside some that read everything, and a memory budget.

    python3 bench/push/slow_subscribers.py [build/release] [--slow 9900] [--fast 100] [--seconds 60] [--rate 1000000]

Starts the push gateway with --budget, connects the slow subscribers (WebSockets with a receive buffer of 4 KiB that are
never read) and the fast ones, publishes events of 10 KB for that long, and prints what the gateway and the kernel hold
meanwhile. Fails if the gateway exceeds its budget by more than 5 %, or if a fast subscriber misses an event.
"""

import argparse
import multiprocessing
import pathlib
import resource
import selectors
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "push"))

from gateway import Gateway, WebSocket, check, raise_descriptor_limit  # noqa: E402

EVENT_BYTES = 10_000
FRAME_BYTES = EVENT_BYTES + 4  # a frame of this size has a head of 4 bytes
MIB = 1 << 20
# A pong that nobody has asked for. Whoever sends one now and then gets no ping, and is not taken for dead.
PONG = b"\x8a\x80\0\0\0\0"
BETWEEN_PONGS = 10  # seconds


def read_everything(gateway, count, ready, expected, missed):
    """A process of its own: connects, then counts what arrives until every subscriber has what it should have."""
    subscribers = [WebSocket(gateway, "feed") for _ in range(count)]
    waits = selectors.DefaultSelector()
    received = dict.fromkeys((each.socket.fileno() for each in subscribers), 0)
    for each in subscribers:
        each.socket.setblocking(False)
        waits.register(each.socket, selectors.EVENT_READ)
    ready.set()
    room = bytearray(1 << 18)
    deadline = None
    next_pong = time.monotonic()
    while True:
        if time.monotonic() >= next_pong:
            next_pong += BETWEEN_PONGS
            for each in subscribers:
                each.socket.send(PONG)
        for key, _ in waits.select(0.1):
            try:
                received[key.fd] += key.fileobj.recv_into(room)
            except BlockingIOError:
                continue
        wanted = expected.value
        if wanted < 0:  # still publishing
            continue
        deadline = deadline or time.monotonic() + 30
        behind = sum(1 for each in received.values() if each != wanted * FRAME_BYTES)
        if behind == 0 or time.monotonic() > deadline:
            missed.value = behind
            return


def kernel_pages():
    """Pages that the kernel holds for all TCP sockets of the machine, those of the clients included."""
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return int(words[words.index("mem") + 1])
    raise AssertionError("/proc/net/sockstat has no line of TCP")


def publish(gateway, slow, seconds, rate):
    """Number of events, and the highest of what the process and the kernel held."""
    event = "x" * EVENT_BYTES
    events = resident = pages = 0
    next_pong = BETWEEN_PONGS
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        if now >= next_pong:
            next_pong += BETWEEN_PONGS
            for each in slow:
                each.send(PONG)
        if events * EVENT_BYTES > now * rate:
            time.sleep(0.001)
            continue
        gateway.publish("feed", event)
        events += 1
        if events % 20 == 0:
            resident = max(resident, gateway.resident())
            pages = max(pages, kernel_pages())
    return events, resident, pages


def measure(given, program, folder):
    budget = given.budget * MIB
    with Gateway(program, "--budget", str(budget), "--slow", "drop-oldest", "--history", "0",
                 "--write-timeout", "3600", folder=folder) as gateway:
        before = kernel_pages()
        slow = []
        for _ in range(given.slow):
            one = WebSocket(gateway, "feed", receive_bytes=4096)
            one.stream.close()
            slow.append(one.socket)
        ready = multiprocessing.Event()
        expected, missed = (multiprocessing.Value("q", -1) for _ in range(2))
        fast = multiprocessing.Process(target=read_everything, args=(gateway, given.fast, ready, expected, missed))
        fast.start()
        check(ready.wait(60), "the fast subscribers could not connect")
        connected = gateway.resident()
        events, resident, pages = publish(gateway, slow, given.seconds, given.rate)
        expected.value = events
        fast.join(60)
        counted = gateway.counters()
        page = resource.getpagesize()
        print(f"{given.slow} slow and {given.fast} fast subscribers, {events} events of {EVENT_BYTES} bytes in "
              f"{given.seconds} s")
        print(f"gateway: {connected / MIB:.1f} MiB with all connected, at most {resident / MIB:.1f} MiB of "
              f"{given.budget}")
        print(f"kernel, TCP of both ends: {before * page / MIB:.1f} MiB before, at most {pages * page / MIB:.1f} MiB")
        print(f"fast subscribers that missed something: {missed.value}; subscribers now: {counted['subscribers']}")
        gateway.stop()
        for each in slow:
            each.close()
        return resident <= budget * 1.05 and missed.value == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--slow", type=int, default=9900)
    parser.add_argument("--fast", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rate", type=int, default=1_000_000, help="bytes per second")
    parser.add_argument("--budget", type=int, default=64, help="MiB")
    given = parser.parse_args()
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="tare-push-") as folder:
        return 0 if measure(given, str(pathlib.Path(given.build) / "bin" / "push"), folder) else 1


if __name__ == "__main__":
    sys.exit(main())
