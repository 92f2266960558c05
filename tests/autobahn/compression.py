"""Sections 12 and 13: compressed messages (RFC 7692), of several kinds of data and with several offers."""

import json
import pathlib
import random

from autobahn.websocket.compress import (PerMessageDeflateOffer, PerMessageDeflateResponse,
                                         PerMessageDeflateResponseAccept)

from client import Case, Unexpected

KIB = 1 << 10
# Bytes of a message, and of its fragments; 0: one frame.
SIZES = [(16, 0), (64, 0), (256, 0), (KIB, 0), (4 * KIB, 0), (8 * KIB, 0), (16 * KIB, 0), (32 * KIB, 0), (64 * KIB, 0),
         (128 * KIB, 0), (8 * KIB, 256), (16 * KIB, 256), (32 * KIB, 256), (64 * KIB, 256), (128 * KIB, 256),
         (128 * KIB, KIB), (128 * KIB, 4 * KIB), (128 * KIB, 32 * KIB)]
# What each offer asks of the server: no context takeover, and the bits of its window (0: as it likes).
OFFERS = [[(False, 0)], [(True, 0)], [(False, 9)], [(False, 15)], [(True, 9)], [(True, 15)],
          [(True, 9), (True, 0), (False, 0)]]


def documents():
    root = pathlib.Path(__file__).resolve().parents[2] / "docs"
    return b"\n".join(file.read_bytes() for file in sorted(root.glob("*.md")))


def records():
    chance = random.Random(1)
    return b"\n".join(json.dumps({"id": number, "name": f"item {number}", "price": chance.random(),
                                  "tags": chance.sample(["new", "blue", "large", "used"], 2)}).encode()
                      for number in range(3000))


def bitmap():
    chance = random.Random(2)
    return b"".join(bytes([chance.randrange(256)]) * chance.randrange(1, 40) for _ in range(20_000))


def data_of_section_12():
    """As text or not: records, noise, prose, a bitmap, and prose that is not sent as text."""
    return [(records(), False), (random.Random(3).randbytes(256 * KIB), True), (documents(), False), (bitmap(), True),
            (documents(), True)]


def pieces_of(data, size, count):
    """Texts must not be divided within a character."""
    for number in range(count):
        at = number * size % (len(data) - size - 4)
        while data[at] & 0xC0 == 0x80:
            at += 1
        piece = data[at:at + size]
        while True:
            try:
                piece.decode()
                break
            except UnicodeDecodeError as error:
                if error.end < len(piece) - 4:
                    break  # it is no text
                piece = piece[:error.start]
        yield piece


def accept(response):
    return PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None


def echoes(data, binary, size, fragment, may_decline):
    async def run(client):
        if client.websocket_extensions_in_use == [] and not may_decline:
            raise Unexpected("the server does not compress")
        for piece in pieces_of(data, size, client.messages):
            client.sendMessage(piece, binary, fragmentSize=fragment or None)
            await client.expect_message(piece, binary)
        await client.finish()

    return run


def group(section, number, data, binary, offers):
    made = [PerMessageDeflateOffer(True, True, no_takeover, bits) for no_takeover, bits in offers]
    # A server may decline a small window.
    may_decline = all(bits == 9 for _, bits in offers)
    for at, (size, fragment) in enumerate(SIZES, 1):
        yield Case(f"{section}.{number}.{at}", echoes(data, binary, size, fragment, may_decline),
                   {"path": "/compressed", "offers": made, "accept": accept})


def cases():
    for number, (data, binary) in enumerate(data_of_section_12(), 1):
        yield from group(12, number, data, binary, [(False, 0)])
    data = records()
    for number, offers in enumerate(OFFERS, 1):
        yield from group(13, number, data, False, offers)
