"""What lies between: a network that is cut between a gateway and NATS, and HAProxy in front of the gateways."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import threading
import time

from gateway import TIMEOUT, EventStream, Skipped, WebSocket, check, free_port, polling
from nats_cases import Hopping, Nats, Publisher, checked, post_until, restart_each, started

HAPROXY = pathlib.Path(__file__).resolve().parents[2] / "examples" / "push" / "haproxy.cfg"


class Link:
    """Forwards connections to NATS. What is cut is neither forwarded nor closed, as in a network that loses it."""

    def __init__(self, port):
        self.to, self.listening = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.open = {"out": threading.Event(), "back": threading.Event()}
        self.sockets = []
        self.heal()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.heal()
        # shutdown() also wakes the thread that waits in accept().
        for each in (self.listening, *self.sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def cut(self, *directions):
        for each in directions:
            self.open[each].clear()

    def heal(self):
        for each in self.open.values():
            each.set()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listening.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to))
                self.sockets += [near, far]
                for ends in ((near, far, "out"), (far, near, "back")):
                    threading.Thread(target=self.forward, args=ends, daemon=True).start()

    def forward(self, source, target, direction):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                self.open[direction].wait()
                target.sendall(piece)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def partition(program, folder):
    """One of two gateways is cut off from NATS, in each direction: it refuses, keeps its subscribers, catches up."""
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        link = stack.enter_context(Link(nats.port))
        cut_off = started(stack, link, program, folder, 1)[0]
        other = started(stack, nats, program, folder, 1)[0]
        streams = [stack.enter_context(EventStream(each, "a")) for each in (cut_off, other)]
        web = stack.enter_context(WebSocket(cut_off, "a"))
        for stream in streams:
            stream.expect("subscribed")
        cut_off.wait_for_subscribers(websocket=1)
        for number, directions in enumerate((("out",), ("back",), ("out", "back"))):
            known = other.publish("a", f"before {number}")
            check(web.text() == f"before {number}", "not before it is cut")
            link.cut(*directions)
            refused = f"refused {number}"
            check(post_until(cut_off, 503, refused)["retry-after"], "no Retry-After")
            # The publisher repeats it at the other process, with the same key.
            post_until(other, 202, refused)
            ids = [other.publish("a", f"meanwhile {number}.{i}") for i in range(20)]
            check(cut_off.counters()["subscribers"]["events"] == 1, "its subscriber has been disconnected")
            with polling(other, "a", after=known) as poll:
                check(poll()[2].decode() == refused, "the other process does not serve")
            link.heal()
            post_until(cut_off, 202, f"after {number}")
            expected = [f"before {number}", refused, *(f"meanwhile {number}.{i}" for i in range(20)), f"after {number}"]
            got = [[stream.event() for _ in expected] for stream in streams]
            check([event[2] for event in got[0]] == expected, [event[2] for event in got[0]])
            check(got[0] == got[1] and [event[1] for event in got[0][2:22]] == ids, "not the same events")
            check([web.text() for _ in expected[1:]] == expected[1:], "not by WebSocket")
        for each in (cut_off, other):
            each.stop()


class Proxy:
    """HAProxy with the example's configuration, in front of gateways. Clients connect to it as to a gateway."""

    def __init__(self, ports, folder):
        program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
        if not program:
            raise Skipped("HAProxy is not installed: apt-get install haproxy")
        self.port = free_port()
        text = HAPROXY.read_text()
        for old, new in zip((8080, 8081, 8082, 8083), (self.port, *ports), strict=True):
            check(f"127.0.0.1:{old}\n" in text, f"{HAPROXY} has no 127.0.0.1:{old}")
            text = text.replace(f"127.0.0.1:{old}\n", f"127.0.0.1:{new}\n")
        written = pathlib.Path(folder, "haproxy.cfg")
        written.write_text(text)
        checked_file = subprocess.run([program, "-c", "-f", written], capture_output=True, text=True)
        check(checked_file.returncode == 0 and "WARNING" not in checked_file.stderr, checked_file.stderr)
        self.process = subprocess.Popen([program, "-db", "-q", "-f", written])

    def __enter__(self):
        deadline = time.monotonic() + TIMEOUT
        while True:
            with contextlib.suppress(OSError):
                self.connect().close()
                return self
            check(time.monotonic() < deadline, "HAProxy does not listen")
            time.sleep(0.02)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def connect(self, receive_bytes=None):
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT)


def haproxy(program, folder, count=2000):
    """A rolling restart behind HAProxy: publishers and clients see one address, and nothing is missed."""
    options = ("--grace", "1")
    with Nats(folder) as nats, contextlib.ExitStack() as stack:
        gateways = started(stack, nats, program, folder, 3, *options)
        proxy = stack.enter_context(Proxy([each.port for each in gateways], folder))
        with EventStream(proxy, "a") as stream:
            known = stream.expect("subscribed")
        with WebSocket(proxy, "w") as web, polling(proxy, "w") as poll:
            deadline = time.monotonic() + TIMEOUT
            while sum(sum(each.counters()["subscribers"].values()) for each in gateways) < 2:
                check(time.monotonic() < deadline, "they do not arrive")
                time.sleep(0.02)
            gateways[0].publish("w", "through the proxy")
            check(web.text() == "through the proxy" and poll()[2] == b"through the proxy", "not through the proxy")
        publisher = Publisher([proxy.port], count)
        clients = [Hopping([proxy], 0, count, known) for _ in range(6)]
        for each in (publisher, *clients):
            each.start()
        restart_each(stack, gateways, nats, program, folder, *options)
        checked(publisher, clients, count)
        check(publisher.failed == 0, f"{publisher.failed} attempts to publish failed behind HAProxy")


CASES = {
    "nats-partition": partition,
    "nats-haproxy": haproxy,
}
