"""Section 6: texts that are UTF-8 or not, also across fragments and segments."""

import asyncio

from client import CONTINUATION, INVALID_DATA, TEXT, masked_frame

KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
EDITED = b"\xed\xa0\x80" + b"edited"


def valid(payload, pieces=None, chop=None):
    async def run(client):
        client.fragments(TEXT, pieces or [payload], chop=chop)
        await client.expect_message(payload)
        await client.finish()

    return run


def invalid(payload, pieces=None):
    async def run(client):
        client.fragments(TEXT, pieces or [payload])
        await client.expect_failure(INVALID_DATA)

    return run


def fails_at_once(pieces, in_one_frame):
    """The last piece is not sent: the server must have found the error in those before it."""

    async def run(client):
        if in_one_frame:
            whole = b"".join(pieces)
            frame = masked_frame(TEXT, whole)
            sent = len(frame) - len(whole)
            client.transport.write(frame[:sent])
            for piece in pieces[:-1]:
                client.transport.write(frame[sent:sent + len(piece)])
                sent += len(piece)
                await asyncio.sleep(0.05)
        else:
            for at, piece in enumerate(pieces[:-1]):
                client.frame(TEXT if at == 0 else CONTINUATION, piece, fin=False)
                await asyncio.sleep(0.05)
        await client.expect_failure(INVALID_DATA)

    return run


def octets(payload):
    return [payload[at:at + 1] for at in range(len(payload))]


def groups_1_to_4():
    yield "6.1.1", valid(b"")
    yield "6.1.2", valid(b"", [b"", b"", b""])
    middle = b"middle frame payload"
    yield "6.1.3", valid(middle, [b"", middle, b""])
    text = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
    yield "6.2.1", valid(text)
    yield "6.2.2", valid(text, [text[:12], text[12:]])
    yield "6.2.3", valid(text, octets(text))
    yield "6.2.4", valid(KOSME, octets(KOSME))
    yield "6.3.1", invalid(KOSME + EDITED)
    yield "6.3.2", invalid(KOSME + EDITED, octets(KOSME + EDITED))
    beyond = b"\xf4\x90\x80\x80"
    yield "6.4.1", fails_at_once([KOSME, beyond, b"edited"], in_one_frame=False)
    yield "6.4.2", fails_at_once([KOSME + beyond[:1], beyond[1:2], beyond[2:] + b"edited"], in_one_frame=False)
    yield "6.4.3", fails_at_once([KOSME, beyond, b"edited"], in_one_frame=True)
    yield "6.4.4", fails_at_once([KOSME + beyond[:1], beyond[1:2], beyond[2:] + b"edited"], in_one_frame=True)


def surrogates_in_pairs():
    high = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf")
    return [one + other for one in high for other in (b"\xed\xb0\x80", b"\xed\xbf\xbf")]


def non_characters():
    """U+FFFE and U+FFFF of every plane: valid in a text."""
    return [chr(plane << 16 | last).encode() for plane in range(17) for last in (0xFFFE, 0xFFFF)]


INCOMPLETE = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
              b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]

# Markus Kuhn's list "UTF-8 decoder capability and stress test", by group: what is valid, and what is not.
VALID = {
    5: ["Hello$world".encode(), "Hello\u00a2world".encode(), "Hello\u20acworld".encode(),
        "Hello\U00024b62world".encode(), KOSME],
    7: [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    9: [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    22: non_characters(),
    23: [chr(code).encode() for code in range(0xFFF9, 0x10000)],
}
INVALID = {
    8: [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    10: [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    12: [b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf", b"\x80\xbf\x80\xbf\x80",
         b"\x80\xbf\x80\xbf\x80\xbf", bytes(range(0x80, 0xC0))],
    13: [b" ".join(octets(bytes(range(first, last)))) + b" "
         for first, last in ((0xC0, 0xE0), (0xE0, 0xF0), (0xF0, 0xF8), (0xF8, 0xFC), (0xFC, 0xFE))],
    14: INCOMPLETE,
    15: [b"".join(INCOMPLETE)],
    16: [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"],
    17: [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"],
    18: [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"],
    19: [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"],
    20: [b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf", b"\xed\xb0\x80", b"\xed\xbe\x80",
         b"\xed\xbf\xbf"],
    21: surrogates_in_pairs(),
}


def is_complete(payload):
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def cases():
    yield from groups_1_to_4()
    for number in range(1, len(KOSME) + 1):  # every beginning of a text
        start = KOSME[:number]
        yield f"6.6.{number}", valid(start) if is_complete(start) else invalid(start)
    for group, payloads in VALID.items():
        for number, payload in enumerate(payloads, 1):
            yield f"6.{group}.{number}", valid(payload)
    for group, payloads in INVALID.items():
        for number, payload in enumerate(payloads, 1):
            yield f"6.{group}.{number}", invalid(payload)
    at_limits = [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"]
    for number, payload in enumerate(at_limits, 1):
        yield f"6.11.{number}", valid(payload)
    yield "6.11.5", invalid(b"\xf4\x90\x80\x80")
