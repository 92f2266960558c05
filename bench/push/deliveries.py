#!/usr/bin/env python3
"""The server's processor time for each delivery of an event of 1 KiB to very many WebSockets, beside others.

    python3 bench/push/deliveries.py [build/release] [--subscribers 5000] [--rounds 100] [--repeats 3]

The push gateway, a loop of send(2) in C, Node's `ws` and Bun (those that are there; ./setup --peers installs them) each
publish the same events, one after the other in every repeat. An event is published when all subscribers have the one
before it. Prints the median of the processor time per delivery, and its ratio to that of the loop.
"""

import argparse
import http.client
import multiprocessing
import os
import pathlib
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(ROOT / "tests" / "service"))

from harness import check, free_port, raise_descriptor_limit  # noqa: E402

EVENT = b"x" * 1024
FRAME_BYTES = len(EVENT) + 4
TICK = 1 / os.sysconf("SC_CLK_TCK")


def servers(build):
    """Name and command; {port} is replaced."""
    found = {"send(2) in C": [str(build / "bin" / "peer_send_loop"), "{port}"],
             "tare": [str(build / "bin" / "push"), "--listen", "127.0.0.1:{port}", "--history", "0"]}
    if shutil.which("node") and (PEERS / "node-http" / "node_modules" / "ws").exists():
        found["ws"] = ["node", str(PEERS / "publish" / "ws.mjs"), "{port}"]
    bun = PEERS / "bun" / "node_modules" / ".bin" / "bun"
    if bun.exists():
        found["Bun"] = [str(bun), str(PEERS / "publish" / "bun.mjs"), "{port}"]
    return found


def subscribe(port):
    made = socket.create_connection(("127.0.0.1", port), timeout=20)
    made.sendall(b"GET /topics/feed/socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = made.recv(1)
        check(piece != b"", f"the handshake failed: {head}")
        head += piece
    check(head.startswith(b"HTTP/1.1 101"), head)
    made.setblocking(False)
    return made


def receive(port, count, commands):
    """A process of its own: says when all are connected, and after each event when all have it."""
    raise_descriptor_limit()
    waits = selectors.DefaultSelector()
    for _ in range(count):
        waits.register(subscribe(port), selectors.EVENT_READ)
    room = bytearray(1 << 16)
    commands.send("connected")
    while commands.recv() == "event":
        left = count * FRAME_BYTES
        deadline = time.monotonic() + 60
        while left > 0 and time.monotonic() < deadline:
            for key, _ in waits.select(1):
                left -= key.fileobj.recv_into(room)
        commands.send("received" if left == 0 else f"{left} bytes are missing")


def processor_seconds(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) * TICK


def publish(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/topics/feed", EVENT, {"Content-Type": "text/plain"})
    status = connection.getresponse().status
    connection.close()
    check(status == 202, f"publishing got {status}")


def measure(command, subscribers, rounds):
    """Microseconds of the server's processor time per delivery."""
    port = free_port()
    words = [word.replace("{port}", str(port)) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        ours, theirs = multiprocessing.Pipe()
        receiver = multiprocessing.Process(target=receive, args=(port, subscribers, theirs))
        try:
            check(server.stdout.readline().startswith("listening"), "the server has not started")
            receiver.start()
            check(ours.poll(120) and ours.recv() == "connected", "not all could connect")
            before = None
            for number in range(rounds + 5):  # the first ones are not measured
                if number == 5:
                    before = processor_seconds(server.pid)
                ours.send("event")
                publish(port)
                said = ours.recv()
                check(said == "received", said)
            spent = processor_seconds(server.pid) - before
            ours.send("end")
            receiver.join(20)
            return spent / rounds / subscribers * 1e6
        finally:
            if receiver.is_alive():
                receiver.kill()
            server.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", nargs="?", default="build/release")
    parser.add_argument("--subscribers", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    raise_descriptor_limit()
    all_servers = servers(pathlib.Path(given.build))
    taken = {name: [] for name in all_servers}
    for _ in range(given.repeats):
        for name, command in all_servers.items():
            taken[name].append(measure(command, given.subscribers, given.rounds))
    least = statistics.median(taken["send(2) in C"])
    print(f"{given.subscribers} subscribers, {given.rounds} events, {given.repeats} repeats")
    for name, each in taken.items():
        middle = statistics.median(each)
        print(f"{name:14} {middle:6.2f} µs per delivery, {middle / least:.2f} of the loop "
              f"({min(each):.2f} to {max(each):.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
