"""Several gateways that share their events by NATS JetStream: one order everywhere, restarts, and NATS being away."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from gateway import EventStream, Gateway, Skipped, WebSocket, check, free_port, polling


class Nats:
    """A server with its own folder and port."""

    def __init__(self, folder):
        self.program = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")
        if not self.program:
            raise Skipped("NATS is not installed: apt-get install nats-server")
        self.folder, self.port, self.process = os.path.join(folder, "nats"), free_port(), None
        self.url = f"nats://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, "-js", "-sd", self.folder, "-a", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("NATS does not listen")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def started(stack, nats, program, folder, count, *options):
    return [stack.enter_context(Gateway(program, "--nats", nats.url, *options, folder=folder)) for _ in range(count)]


def shared(program, folder):
    """Whatever is posted to any of three processes reaches every kind of subscriber of each once, in one order."""
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        gateways = started(stack, nats, program, folder, 3)
        streams = [stack.enter_context(EventStream(each, "a")) for each in gateways]
        sockets = [stack.enter_context(WebSocket(each, "a")) for each in gateways]
        known = {stream.expect("subscribed") for stream in streams}
        check(len(known) == 1, f"the processes have different streams: {known}")
        ids = list(known)
        for each in gateways:
            each.wait_for_subscribers(events=1, websocket=1)
        for i in range(60):
            with polling(gateways[(i + 1) % 3], "a", after=ids[-1]) as poll:
                ids.append(gateways[i % 3].publish("a", f"event {i}", name="price" if i % 2 else ""))
                check(poll()[2].decode() == f"event {i}", "not by long poll")
        for stream in streams:
            for i in range(60):
                check(stream.event() == ("price" if i % 2 else "message", ids[i + 1], f"event {i}"), f"not event {i}")
        for each in sockets:
            for i in range(60):
                check(each.text() == f"event {i}", f"not event {i}")
        # A retry with the same key, also at another process, is the same event; on another topic it is not.
        statuses = [gateways[i % 3].ask("POST", "/topics/a", "once", {"nats-msg-id": "k"})[1] for i in range(4)]
        check(len({fields["event-id"] for fields in statuses}) == 1, statuses)
        other = gateways[0].ask("POST", "/topics/b", "once", {"nats-msg-id": "k"})[1]["event-id"]
        check(other != statuses[0]["event-id"], other)
        last = gateways[1].publish("a", "last")
        for stream in streams:
            check(stream.expect("message", "once") == statuses[0]["event-id"], "not the first")
            check(stream.expect("message", "last") == last, "twice")
        # A process that starts later has the same history.
        late = started(stack, nats, program, folder, 1)[0]
        for known in (0, 30, 59):
            with EventStream(late, "a", last_id=ids[known]) as stream:
                for i in range(known, 60):
                    check(stream.event()[1] == ids[i + 1], f"not event {i} after {known}")
        check(gateways[0].ask("POST", "/topics/a", b"\xff")[0] == 400, "not UTF-8")
        check(gateways[0].metric("push_nats_connected") == 1, "not connected")
        for each in (*gateways, late):
            each.stop()


def restart_each(stack, gateways, nats, program, folder, *options):
    """A rolling restart: one gateway after the other, each at the port that it had."""
    for i, each in enumerate(gateways):
        time.sleep(0.5)
        each.stop()
        gateways[i] = stack.enter_context(Gateway(program, "--nats", nats.url, *options, folder=folder, port=each.port))


class Publisher(threading.Thread):
    """A back end that repeats what has failed, at another process, with the same key."""

    def __init__(self, ports, count):
        super().__init__()
        self.ports, self.count, self.failed, self.error = ports, count, 0, None

    def run(self):
        try:
            for i in range(self.count):
                deadline = time.monotonic() + 30
                while not self.publish(i):
                    self.failed += 1
                    check(time.monotonic() < deadline, f"event {i} cannot be published")
                    time.sleep(0.02)
        except Exception as error:
            self.error = error

    def publish(self, i):
        for attempt in range(len(self.ports)):
            port = self.ports[(i + attempt) % len(self.ports)]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("POST", "/topics/a", str(i), {"nats-msg-id": str(i)})
                if connection.getresponse().status == 202:
                    return True
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
        return False


class Hopping(threading.Thread):
    """A client that connects to another process whenever its stream ends, and also without a reason."""

    def __init__(self, gateways, first, count, known):
        super().__init__()
        self.gateways, self.at, self.count, self.known = gateways, first, count, known
        self.got, self.connections, self.error = [], 0, None

    def run(self):
        try:
            deadline = time.monotonic() + 60
            while len(self.got) < self.count:
                check(time.monotonic() < deadline, f"only {len(self.got)} events")
                self.connections += 1
                self.at = (self.at + 1) % len(self.gateways)
                try:
                    self.follow(17 + 10 * self.at)
                except (OSError, IndexError):  # it does not listen, or has ended within its head
                    time.sleep(0.02)
        except Exception as error:
            self.error = error

    def follow(self, most):
        with EventStream(self.gateways[self.at], "a", last_id=self.known) as stream:
            for _ in range(most):
                if len(self.got) == self.count or (event := stream.event()) is None:
                    return
                check(event[0] == "message", f"{event} after {self.known}")
                self.known = event[1]
                self.got.append(int(event[2]))


def checked(publisher, clients, count):
    for each in (publisher, *clients):
        each.join()
    for each in (publisher, *clients):
        if each.error:
            raise each.error
    for each in clients:
        check(each.got == list(range(count)), f"{len(each.got)} events, not each once and in order")
    print(f"{count} events to {len(clients)} clients over {sum(each.connections for each in clients)} connections, "
          f"{publisher.failed} repeated attempts to publish")


def rolling(program, folder, count=3000):
    """Three processes are restarted one after the other: no client misses an event, or gets one twice."""
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        gateways = started(stack, nats, program, folder, 3)
        with EventStream(gateways[0], "a") as stream:
            known = stream.expect("subscribed")
        publisher = Publisher([each.port for each in gateways], count)
        clients = [Hopping(gateways, i, count, known) for i in range(6)]
        for each in (publisher, *clients):
            each.start()
        restart_each(stack, gateways, nats, program, folder)
        checked(publisher, clients, count)


def post_until(gateway, status, text):
    """Posts with the text as key until the status is this one; returns the fields of that response."""
    deadline = time.monotonic() + 30
    while True:
        got, fields, _ = gateway.ask("POST", "/topics/a", text, {"nats-msg-id": text})
        if got == status:
            return fields
        check(got in (202, 503) and time.monotonic() < deadline, f"{got}, not {status}")
        time.sleep(0.1)


def away(program, folder):
    """NATS is killed, and then does not respond: POST is 503, subscribers stay, and nothing is missed afterwards."""
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        gateways = started(stack, nats, program, folder, 2)
        streams = [stack.enter_context(EventStream(each, "a")) for each in gateways]
        web = stack.enter_context(WebSocket(gateways[0], "a"))
        for stream in streams:
            stream.expect("subscribed")
        gateways[0].wait_for_subscribers(websocket=1)

        def all_get(*texts):
            for text in texts:
                check(web.text() == text, f"not {text}")
                check(len({stream.expect("message", text) for stream in streams}) == 1, "different ids")

        gateways[0].publish("a", "before")
        all_get("before")
        for leave, come_back in ((nats.kill, nats.start),
                                 (lambda: nats.process.send_signal(signal.SIGSTOP),
                                  lambda: nats.process.send_signal(signal.SIGCONT))):
            leave()
            began = time.monotonic()
            check(post_until(gateways[0], 503, f"while it is away {began}")["retry-after"], "no Retry-After")
            print(f"503 after {time.monotonic() - began:.1f} s")
            check(gateways[0].ask("GET", "/healthz")[0] == 200, "not healthy")
            for each in gateways:
                seen = each.counters()["subscribers"]
                check(seen["events"] == 1, f"subscribers have been disconnected: {seen}")
            # A new subscriber is accepted, too.
            with EventStream(gateways[1], "b") as stream:
                stream.expect("subscribed")
            come_back()
            # What has been refused may have been stored nevertheless, but with its key at most once.
            post_until(gateways[0], 202, f"while it is away {began}")
            post_until(gateways[0], 202, f"after {began}")
            all_get(f"while it is away {began}", f"after {began}")
        for each in gateways:
            each.stop()


def replaced(program, folder):
    """A stream that is not the same any more: all clients are disconnected, and told of the gap."""
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        gateway = started(stack, nats, program, folder, 1)[0]
        stream, web = EventStream(gateway, "a"), WebSocket(gateway, "a")
        stream.expect("subscribed")
        known = gateway.publish("a", "old")
        check(stream.expect("message", "old") == known and web.text() == "old", "not delivered")
        nats.kill()
        shutil.rmtree(nats.folder)
        nats.start()
        check(stream.event() is None and stream.has_proper_end, "the stream goes on")
        check(web.close_code() == 1001, "the WebSocket goes on")
        stream.close()
        web.close()
        deadline = time.monotonic() + 30
        while True:
            check(time.monotonic() < deadline, f"it does not serve again: {gateway.complaints()}")
            with contextlib.suppress(OSError):
                stream = EventStream(gateway, "a", last_id=known)
                break
            time.sleep(0.05)
        with stream:
            check(stream.event()[0] == "reset", "the gap is not noticed")
            new = gateway.publish("a", "new")
            check(stream.expect("message", "new") == new, "not delivered")
            check(new.split("-")[0] != known.split("-")[0], "the same stream")
        check("replaced" in gateway.complaints(), gateway.complaints())
        gateway.stop()


def late(program, folder):
    """A gateway that starts before NATS serves as soon as it has the stream."""
    nats = Nats(folder)
    with Gateway(program, "--nats", nats.url, folder=folder, is_ready=False) as gateway:
        time.sleep(0.5)
        with contextlib.suppress(OSError):
            gateway.connect().close()
            raise AssertionError("it serves without knowing the stream")
        check("waiting for NATS" in gateway.complaints(), gateway.complaints())
        with nats:
            check(gateway.process.stdout.readline().startswith("listening on"), gateway.complaints())
            with EventStream(gateway, "a") as stream:
                stream.expect("subscribed")
                known = gateway.publish("a", "x")
                check(stream.expect("message", "x") == known, "not delivered")
            gateway.stop()


CASES = {
    "nats": shared,
    "nats-rolling": rolling,
    "nats-away": away,
    "nats-replaced": replaced,
    "nats-late": late,
}
