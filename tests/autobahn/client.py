"""A WebSocket client that records what a server sends, and can violate every rule of RFC 6455."""

import asyncio
import contextlib
import os
import typing
import zlib

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket import protocol

# autobahn colours each line of its log before it finds out that nobody reads it: a fifth of the time.
protocol.hltype = protocol.hlval = repr
# How well the client compresses makes no difference to the server.
zlib.Z_DEFAULT_COMPRESSION = zlib.Z_BEST_SPEED

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

PROTOCOL_ERROR = 1002
INVALID_DATA = 1007


class Case(typing.NamedTuple):
    name: str
    run: typing.Callable  # an async function of a Client
    options: dict = {}  # of `connect`


class Unexpected(Exception):
    """The server did not do what the case expects."""


def masked_frame(opcode, payload=b"", fin=True, rsv=0):
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    if size <= 125:
        head = bytes([first, 0x80 | size])
    elif size <= 0xFFFF:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    whole = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return head + mask + masked.to_bytes(size, "big")


def shortened(event):
    text = repr(event)
    return text if len(text) < 200 else text[:190] + f"... ({len(text)} characters)"


class Client(WebSocketClientProtocol):
    """An open connection. The calls that wait throw Unexpected if something else happens, or nothing for a while."""

    seconds = 60
    messages = 20  # that a case about compression sends
    root = "/autobahn"  # of the paths

    def __init__(self):
        super().__init__()
        self.events = asyncio.Queue()
        self.opened = asyncio.get_running_loop().create_future()
        self.closed = asyncio.get_running_loop().create_future()
        self.gathered = None

    # What autobahn reports.

    def onOpen(self):
        self.opened.set_result(None)

    def onMessage(self, payload, isBinary):
        self.events.put_nowait(("message", bytes(payload), isBinary))

    def onPing(self, payload):
        self.events.put_nowait(("ping", bytes(payload)))
        self.sendPong(payload)

    def onPong(self, payload):
        self.events.put_nowait(("pong", bytes(payload)))

    def onClose(self, wasClean, code, reason):
        if not self.opened.done():
            self.opened.set_exception(Unexpected(f"the handshake failed: {reason}"))
        self.events.put_nowait(("closed", self.remoteCloseCode, wasClean))
        self.closed.set_result(None)

    # What cases send.

    def frame(self, opcode, payload=b"", fin=True, rsv=0, chop=None):
        """`chop`: the bytes of each segment, as far as the system sends them by themselves."""
        whole = masked_frame(opcode, payload, fin, rsv)
        if self.gathered is not None:
            self.gathered.append(whole)
            return
        chop = chop or len(whole)
        for at in range(0, len(whole), chop):
            self.transport.write(whole[at:at + chop])

    def fragments(self, opcode, pieces, chop=None):
        """With `chop`, in segments. Otherwise with one call to the system, as a client with a buffer does."""
        with self.at_once() if chop is None else contextlib.nullcontext():
            for at, piece in enumerate(pieces):
                self.frame(opcode if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1, chop=chop)

    def sendMessage(self, *arguments, **options):
        with self.at_once():
            super().sendMessage(*arguments, **options)

    def sendData(self, data, *arguments, **options):
        """What autobahn calls for each frame."""
        if self.gathered is None:
            super().sendData(data, *arguments, **options)
        else:
            self.gathered.append(data)

    @contextlib.contextmanager
    def at_once(self):
        self.gathered = []
        try:
            yield
        finally:
            gathered, self.gathered = self.gathered, None
            self.transport.write(b"".join(gathered))

    def close_frame(self, payload):
        """A close frame of the case's own; autobahn then expects that of the server."""
        self.frame(CLOSE, payload)
        self.state = self.STATE_CLOSING
        self.closedByMe = True

    # What cases expect.

    async def next_event(self):
        try:
            return await asyncio.wait_for(self.events.get(), self.seconds)
        except asyncio.TimeoutError:
            raise Unexpected("the server is silent") from None

    async def expect(self, *wanted):
        got = await self.next_event()
        if got != wanted:
            raise Unexpected(f"{shortened(got)} instead of {shortened(wanted)}")

    async def expect_message(self, payload, binary=False):
        await self.expect("message", payload, binary)

    async def expect_pong(self, payload):
        await self.expect("pong", payload)

    async def expect_failure(self, *codes, before=()):
        """The server ends the connection with one of the codes, or without one. `before`: what it may still send."""
        before = list(before)
        while True:
            got = await self.next_event()
            if got[0] == "closed":
                break
            if not before or got != before.pop(0):
                raise Unexpected(f"{shortened(got)} instead of a failed connection")
        if got[1] is not None and got[1] not in codes:
            raise Unexpected(f"closed with {got[1]} instead of {codes}")

    async def expect_clean_close(self, *codes):
        got = await self.next_event()
        if got[0] != "closed" or not got[2] or got[1] not in codes:
            raise Unexpected(f"{shortened(got)} instead of a clean close with {codes}")

    async def finish(self):
        """Nothing else is to come, and the connection ends cleanly."""
        self.sendClose(1000)
        await self.expect_clean_close(1000)


async def connect(port, path="", offers=None, accept=None):
    """`offers`, `accept`: of permessage-deflate, as autobahn's factory takes them."""
    factory = WebSocketClientFactory(f"ws://127.0.0.1:{port}{Client.root}{path}")
    factory.protocol = Client
    factory.setProtocolOptions(
        utf8validateIncoming=False, openHandshakeTimeout=Client.seconds, closeHandshakeTimeout=Client.seconds,
        perMessageCompressionOffers=offers, perMessageCompressionAccept=accept)
    _, client = await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", port)
    await asyncio.wait_for(client.opened, Client.seconds)
    return client
