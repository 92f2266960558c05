"""The push gateway as a child process, and clients of each kind, for the cases of push_test.py."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "service"))

from harness import Running, Skipped, certificate, check, free_port, raise_descriptor_limit  # noqa: E402, F401

TIMEOUT = 20


class Gateway(Running):
    """A running gateway."""

    def __init__(self, program, *options, folder, port=None, trusted=None, is_ready=True):
        self.port = port or free_port()
        self.context = ssl.create_default_context(cafile=trusted) if trusted else None
        self.log = open(os.path.join(folder, f"push-{self.port}.log"), "a+")
        self.process = subprocess.Popen([program, "--listen", f"127.0.0.1:{self.port}", *options],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        if is_ready:
            line = self.process.stdout.readline()
            check(line.startswith("listening on"), f"it said {line!r}; {self.complaints()}")

    def connect(self, receive_bytes=None):
        made = socket.socket()
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(TIMEOUT)
        made.connect(("127.0.0.1", self.port))
        return self.context.wrap_socket(made, server_hostname="localhost") if self.context else made

    def ask(self, method, path, body=None, headers=None):
        """Status, fields and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        connection.sock = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def publish(self, topic, data, name=""):
        """The event's id."""
        path = f"/topics/{topic}" + (f"?event={name}" if name else "")
        status, fields, body = self.ask("POST", path, data.encode() if isinstance(data, str) else data)
        check(status == 202, f"{status}: {body}; {self.complaints()}")
        check(json.loads(body)["id"] == fields["event-id"], (fields, body))
        return fields["event-id"]

    def counters(self):
        return json.loads(self.ask("GET", "/counters")[2])

    def metric(self, name):
        for line in self.ask("GET", "/metrics")[2].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise AssertionError(f"there is no metric {name}")

    def wait_for(self, holds, what, seconds=TIMEOUT):
        """Until it holds of the counters."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.counters()
            if holds(seen):
                return seen
            check(time.monotonic() < deadline, f"{what}: {seen}")
            time.sleep(0.02)

    def wait_for_subscribers(self, **of):
        return self.wait_for(lambda seen: of.items() <= seen["subscribers"].items(), str(of))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check(self.process.wait(TIMEOUT) == 0, f"the gateway did not end cleanly: {self.complaints()}")

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the gateway has ended")


def head_of(stream):
    """The status, and the fields with names in small letters."""
    status = int(stream.readline().split()[1])
    fields = {}
    while (line := stream.readline().rstrip(b"\r\n")) != b"":
        name, value = line.decode().split(":", 1)
        fields[name.lower()] = value.strip()
    return status, fields


class Subscriber:
    """The connection of a client, with `socket`, and `stream` to read from it."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()


class EventStream(Subscriber):
    """A client of an event stream. It reads chunks, as HTTP/1.1 sends them."""

    def __init__(self, gateway, topic, last_id="", after="", receive_bytes=None):
        self.socket = gateway.connect(receive_bytes)
        path = f"/topics/{topic}/events" + (f"?after={after}" if after else "")
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        if last_id:
            request += f"Last-Event-ID: {last_id}\r\n"
        self.socket.sendall((request + "\r\n").encode())
        self.stream = self.socket.makefile("rb")
        self.status, self.fields = head_of(self.stream)
        check(self.status == 200, f"{self.status}: {self.fields}")
        self.rest = b""

    def event(self):
        """The next event as (name, id, data); None at the end of the stream."""
        while b"\n\n" not in self.rest:
            size = self.stream.readline()
            if size in (b"", b"0\r\n"):
                check(size != b"" or self.rest == b"", f"the stream ended within an event: {self.rest[:80]}")
                self.has_proper_end = size != b""
                return None
            piece = self.stream.read(int(size, 16))
            if len(piece) != int(size, 16):
                self.has_proper_end = False
                return None
            self.rest += piece
            self.stream.read(2)
        block, self.rest = self.rest.split(b"\n\n", 1)
        name, identity, data = "message", "", []
        for line in block.decode().split("\n"):
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                identity = value
            elif field in ("data", "data:"):
                data.append(value)
        if block.startswith(b":"):  # a comment
            return self.event()
        return name, identity, "\n".join(data)

    def expect(self, name, data=None):
        """The id of the next event, which has this name and data."""
        got = self.event()
        check(got is not None and got[0] == name and data in (None, got[2]),
              f"expected {name} {str(data)[:60]}, got {str(got)[:120]}")
        return got[1]


class WebSocket(Subscriber):
    """A client of a WebSocket; it expects whole frames."""

    def __init__(self, gateway, topic, origin="", receive_bytes=None, expect=101):
        self.socket = gateway.connect(receive_bytes)
        request = (f"GET /topics/{topic}/socket HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\nUpgrade: websocket\r\n"
                   f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n")
        if origin:
            request += f"Origin: {origin}\r\n"
        self.socket.sendall((request + "\r\n").encode())
        self.stream = self.socket.makefile("rb")
        self.status, self.fields = head_of(self.stream)
        check(self.status == expect, f"{self.status}, not {expect}")

    def frame(self):
        """Opcode and payload; None at the end of the connection."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size == 126:
            size, = struct.unpack(">H", self.stream.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.stream.read(8))
        payload = self.stream.read(size)
        return (head[0] & 0x0F, payload) if len(payload) == size else None

    def text(self):
        got = self.frame()
        check(got is not None and got[0] == 1, f"not a text: {str(got)[:80]}")
        return got[1].decode()

    def close_code(self):
        """The code of the close frame, which must be next."""
        got = self.frame()
        check(got is not None and got[0] == 8, f"not a close frame: {str(got)[:80]}")
        return struct.unpack(">H", got[1][:2])[0]

    def send(self, opcode, payload):
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload))
        masked = bytes(each ^ mask[i % 4] for i, each in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode]) + size + mask + masked)


@contextlib.contextmanager
def polling(gateway, topic, after="", wait=15):
    """A long poll that is under way; calling the value returns status, fields and body."""
    with gateway.connect() as connection:
        request = f"GET /topics/{topic}/next?wait={wait} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        if after:
            request += f"Last-Event-ID: {after}\r\n"
        connection.sendall((request + "\r\n").encode())
        stream = connection.makefile("rb")

        def respond():
            status, fields = head_of(stream)
            return status, fields, stream.read(int(fields.get("content-length", 0)))

        yield respond
        stream.close()
