"""Slow subscribers, clients that vanish, no memory, and the end of the process."""

import json
import signal
import socket
import struct
import time

from gateway import EventStream, Gateway, WebSocket, check, polling

EVENT = "x" * 50_000


def abort(client):
    """Closes with a reset, as a client that has crashed does."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def flood(gateway, fast, count):
    """Publishes so much that the subscribers that do not read fall behind; `fast` gets all of it."""
    ids = []
    for i in range(count):
        ids.append(gateway.publish("a", f"{i} {EVENT}"))
        check(fast.event()[1] == ids[-1], "the fast subscriber has missed an event")
    return ids


def slow(program, folder):
    """Subscribers that do not read are disconnected; what they can hold is bounded; they continue from their ids."""
    with Gateway(program, "--backlog", "2M", "--history", "1M", folder=folder) as gateway:
        with EventStream(gateway, "a") as fast:
            fast.expect("subscribed")
            stream = EventStream(gateway, "a", receive_bytes=4096)
            sockets = [WebSocket(gateway, "a", receive_bytes=4096) for _ in range(20)]
            gateway.wait_for_subscribers(events=2, websocket=20)
            before = gateway.resident()
            flood(gateway, fast, 300)  # 15 MB; the kernel accepts 4 MB of it for each
            seen = gateway.counters()
            check(seen["behind"] == 21, seen)
            check(seen["kept_bytes"] <= 2 << 20, f"the backlog is too large: {seen}")
            grown = gateway.resident() - before
            # Each may still be sending one event; all others are shared.
            check(grown < (2 << 20) + 22 * 2 * len(EVENT) + (4 << 20), f"it has grown by {grown}")
            got = []
            while (event := stream.event()) is not None:
                got.append(event)
            check(0 < len(got) < 300, f"{len(got)} events before the end")
            check([e[2].split()[0] for e in got[1:]] == [str(i) for i in range(len(got) - 1)], "not in order")
            for each in sockets:
                count = 0
                while (frame := each.frame()) is not None and frame[0] == 1:
                    check(frame[1].startswith(b"%d x" % count), f"not event {count}")
                    count += 1
                check(frame is None and 0 < count < 300, f"{count} events, then {frame}")
                each.close()
            seen = gateway.wait_for(lambda seen: seen["behind"] == 0 and seen["subscribers"]["websocket"] == 0, "still")
            check(seen["kept_bytes"] <= 1 << 20 and seen["missed"] == 0, seen)
            # It is told what it has missed when it connects again.
            with EventStream(gateway, "a", last_id=got[-1][1]) as again:
                again.expect("reset")
            stream.close()
        gateway.stop()


def policies(program, folder):
    """With the other two policies, a subscriber stays, and what it misses is counted."""
    for policy in ("drop-oldest", "latest-only"):
        with Gateway(program, "--backlog", "1M", "--slow", policy, folder=folder) as gateway:
            with EventStream(gateway, "a") as fast, WebSocket(gateway, "a", receive_bytes=4096) as late:
                fast.expect("subscribed")
                gateway.wait_for_subscribers(events=1, websocket=1)
                flood(gateway, fast, 300)
                numbers = []
                while not numbers or numbers[-1] != 299:
                    numbers.append(int(late.text().split()[0]))
                check(numbers == sorted(set(numbers)) and len(numbers) < 300, numbers)
                seen = gateway.wait_for(lambda seen: seen["behind"] == 0, "still behind")
                check(seen["missed"] == 300 - len(numbers), (seen, len(numbers)))
                if policy == "latest-only":
                    check(numbers[-1] - numbers[-2] > 100, numbers)
                gateway.publish("a", "live")
                check(late.text() == "live", "it has been disconnected")


def stalled(program, folder):
    """Subscribers that never read again are found by the write timeout."""
    with Gateway(program, "--write-timeout", "1", folder=folder) as gateway:
        with EventStream(gateway, "a") as fast:
            fast.expect("subscribed")
            held = [WebSocket(gateway, "a", receive_bytes=4096) for _ in range(5)]
            held += [EventStream(gateway, "a", receive_bytes=4096) for _ in range(5)]
            gateway.wait_for_subscribers(events=6, websocket=5)
            flood(gateway, fast, 150)
            seen = gateway.wait_for_subscribers(events=1, websocket=0)
            check(seen["behind"] == 0 and seen["kept_bytes"] <= 256 << 10, seen)
            for each in held:
                each.close()


def vanish(program, folder):
    """Clients that disappear in the middle of an event, while waiting, or within their request."""
    with Gateway(program, folder=folder) as gateway:
        with EventStream(gateway, "a") as fast:
            fast.expect("subscribed")
            behind = [kind(gateway, "a", receive_bytes=4096) for kind in (WebSocket, EventStream) for _ in range(20)]
            gateway.wait_for_subscribers(events=21, websocket=20)
            flood(gateway, fast, 120)
            check(gateway.counters()["behind"] == 40, gateway.counters())
            idle = [kind(gateway, "b") for kind in (WebSocket, EventStream) for _ in range(20)]
            polls = [gateway.connect() for _ in range(20)]
            for each in polls:
                each.sendall(b"GET /topics/c/next?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n")
            gateway.wait_for_subscribers(events=41, websocket=40, poll=20)
            half = gateway.connect()
            half.sendall(b"POST /topics/a HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nonly this")
            for i, each in enumerate(behind + idle):
                abort(each) if i % 2 else each.close()
            for each in polls + [half]:
                each.close()
            # Topics without subscribers and history go away with them.
            seen = gateway.wait_for(lambda seen: seen["subscribers"] == {"websocket": 0, "events": 1, "poll": 0}
                                    and seen["topics"] == 1, "clients that have left are still there")
            check(seen["behind"] == 0 and seen["kept_bytes"] <= 256 << 10 and seen["events"] == 120, seen)
            last = gateway.publish("a", "still here")
            check(fast.event() == ("message", last, "still here"), "the others are disturbed")
        gateway.stop()


class Returning:
    """A client of an event stream that connects again with the last id, as a browser does."""

    def __init__(self, gateway, topic):
        self.gateway, self.topic, self.connections, self.resets = gateway, topic, 1, 0
        self.stream = EventStream(gateway, topic)
        self.known = self.stream.expect("subscribed")

    def take(self, until):
        """The numbers of the events, up to the one with this id; None where it has been told of a gap."""
        numbers, deadline = [], time.monotonic() + 20
        while self.known != until:
            check(time.monotonic() < deadline, f"it does not get {until}, only {numbers}")
            event = self.stream.event()
            if event is None:
                self.stream.close()
                time.sleep(0.05)
                self.connections += 1
                self.stream = EventStream(self.gateway, self.topic, last_id=self.known)
                continue
            name, self.known, data = event
            numbers.append(None if name == "reset" else int(data.split()[0]))
        return numbers


def budget(program, folder):
    """Publishing more than there is memory for: 503, no gap that nobody is told of, and the process stays below it."""
    limit = 32 << 20
    # With a send buffer below the segment size of the loopback interface, each piece would wait for a delayed ACK.
    with Gateway(program, "--budget", "32M", "--history", "64M", "--max-event", "256K", "--send-buffer", "0",
                 folder=folder) as gateway:
        data = "y" * 200_000
        # Histories of topics without subscribers make room for others, the oldest first.
        first = gateway.publish("idle-0", data)
        for i in range(1, 200):
            gateway.publish(f"idle-{i}", data)
        seen = gateway.counters()
        check(20 < seen["topics"] < 50 and seen["kept_bytes"] <= limit / 4, seen)
        check(gateway.ask("GET", "/topics/idle-0")[0] == 404, "the oldest history has not made room")
        with EventStream(gateway, "idle-0", last_id=first) as again:
            again.expect("reset")
        client = Returning(gateway, "kept")
        statuses, most, expected, gaps = {202: 0, 503: 0}, 0, 0, 0
        for i in range(400):
            status, fields, _ = gateway.ask("POST", "/topics/kept", f"{i} {data}")
            statuses[status] = statuses.get(status, 0) + 1
            check(status == 202 or fields.get("retry-after"), (status, fields))
            if status == 202:
                for number in client.take(until=fields["event-id"]):
                    if number is None:
                        gaps += 1
                        expected = i
                    else:
                        check(number == expected or gaps and number == i, f"{number}, not {expected}")
                expected = i + 1
            else:
                expected = i + 1 if expected == i else expected
            most = max(most, gateway.resident())
        print(f"{statuses}; {client.connections} connections, {gaps} gaps; at most {most / 2**20:.1f} MiB of "
              f"{limit / 2**20:.0f}")
        check(most <= limit, "more than its budget")
        check(set(statuses) <= {202, 503} and statuses[202] > 200, statuses)
        check(gateway.ask("GET", "/healthz")[0] == 200, "not healthy")
        client.stream.close()
        gateway.stop()


def drain(program, folder):
    """SIGTERM closes WebSockets with 1001, ends event streams and polls properly, and completes what is in progress."""
    with Gateway(program, folder=folder) as gateway:
        web, stream = WebSocket(gateway, "a"), EventStream(gateway, "a")
        stream.expect("subscribed")
        late = WebSocket(gateway, "slow", receive_bytes=4096)
        with polling(gateway, "a", wait=60) as poll:
            gateway.wait_for_subscribers(events=1, websocket=2, poll=1)
            for _ in range(120):
                gateway.publish("slow", EVENT)
            known = gateway.publish("a", "before")
            check(poll()[0] == 200 and web.text() == "before" and stream.expect("message", "before") == known, "lost")
        with polling(gateway, "a", after=known, wait=60) as poll:
            gateway.wait_for_subscribers(poll=1)
            publishing = gateway.connect()
            publishing.sendall(b"POST /topics/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
            time.sleep(0.2)
            began = time.monotonic()
            gateway.process.send_signal(signal.SIGTERM)
            check(web.close_code() == 1001, "not 1001")
            web.send(8, struct.pack(">H", 1001))
            check(web.frame() is None, "something after the close frame")
            check(stream.event() is None and stream.has_proper_end, "the stream has no end")
            status, fields, _ = poll()
            check(status == 204 and fields["event-id"] == known, (status, fields))
            publishing.sendall(b" done")
            answer = b""
            while piece := publishing.recv(4096):
                answer += piece
            check(answer.startswith(b"HTTP/1.1 202 "), answer)
            check(json.loads(answer.split(b"\r\n\r\n")[1])["recipients"] == 0, answer)
            check(gateway.process.wait(20) == 0, gateway.complaints())
            print(f"ended {time.monotonic() - began:.1f} s after SIGTERM, with a WebSocket that does not read")
        for each in (web, stream, late, publishing):
            each.close()


def grace(program, folder):
    """After SIGTERM it serves on while /healthz returns 503, and clients find the next process with their ids."""
    with Gateway(program, "--grace", "1", folder=folder) as gateway:
        with EventStream(gateway, "a") as stream:
            stream.expect("subscribed")
            gateway.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            check(gateway.ask("GET", "/healthz")[0] == 503, "still healthy")
            known = gateway.publish("a", "in the grace period")
            check(stream.event() == ("message", known, "in the grace period"), "not served")
            check(stream.event() is None and stream.has_proper_end, "the stream has no end")
        check(gateway.process.wait(20) == 0, gateway.complaints())


CASES = {
    "slow": slow,
    "policies": policies,
    "stalled": stalled,
    "vanish": vanish,
    "budget": budget,
    "drain": drain,
    "grace": grace,
}
