"""What subscribers weigh: the slope of the resident memory, after each has received some events."""

import os
import time

from gateway import Gateway, Skipped, check, raise_descriptor_limit

LIMITS = {"websocket": 330, "events": 330, "poll": 550}
REQUESTS = {
    "websocket": b"GET /topics/a/socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "events": b"GET /topics/a/events HTTP/1.1\r\nHost: a\r\n\r\n",
    "poll": b"GET /topics/a/next?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n",
}


def weigh(program, folder, kind, first, count):
    """Bytes per subscriber."""
    with Gateway(program, "--budget", "2G", folder=folder) as gateway:
        clients = []

        def add(number):
            while len(clients) < number:
                clients.append(gateway.connect())
                clients[-1].sendall(REQUESTS[kind])
            gateway.wait_for_subscribers(**{kind: number})
            for _ in range(0 if kind == "poll" else 10):
                gateway.publish("a", "x" * 100)
            for each in clients if kind != "poll" else ():
                each.recv(1 << 16)
            time.sleep(0.5)
            return gateway.resident()

        less = add(first)
        more = add(count)
        for each in clients:
            each.close()
        gateway.wait_for_subscribers(**{kind: 0})
        print(f"{kind}: {(more - less) / (count - first):.0f} bytes")
        return (more - less) / (count - first)


def weight(program, folder, first=1000, count=9000):
    if raise_descriptor_limit() < count + 200:
        raise Skipped("too few descriptors for the connections")
    for kind, limit in LIMITS.items():
        got = weigh(program, folder, kind, first, count)
        limit = int(os.environ.get("PUSH_WEIGHT", 0)) or limit
        check(got <= limit, f"{kind}: {got:.0f} bytes, more than {limit}")


CASES = {"weight": weight}
