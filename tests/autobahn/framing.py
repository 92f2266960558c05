"""Sections 1 to 5 and 10: framing, pings, reserved bits, opcodes, fragments."""

import asyncio

from client import BINARY, CONTINUATION, PING, PONG, PROTOCOL_ERROR, TEXT

HELLO = b"Hello, world!"
BYTES = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"


def echo(opcode, payload, chop=None):
    async def run(client):
        client.frame(opcode, payload, chop=chop)
        await client.expect_message(payload, opcode == BINARY)
        await client.finish()

    return run


def section_1():
    sizes = [(0, None), (125, None), (126, None), (127, None), (128, None), (65535, None), (65536, None), (65536, 997)]
    for group, (opcode, byte) in enumerate(((TEXT, b"*"), (BINARY, b"\xfe")), 1):
        for number, (size, chop) in enumerate(sizes, 1):
            yield f"1.{group}.{number}", echo(opcode, byte * size, chop)


def pings(payloads, chop=None):
    async def run(client):
        for payload in payloads:
            client.frame(PING, payload, chop=chop)
        for payload in payloads:
            await client.expect_pong(payload)
        await client.finish()

    return run


async def too_long_ping(client):
    client.frame(PING, b"\xfe" * 126)
    await client.expect_failure(PROTOCOL_ERROR)


def unsolicited_pong(payload, then=None):
    async def run(client):
        client.frame(PONG, payload)
        if then is not None:
            client.frame(PING, then)
            await client.expect_pong(then)
        await client.finish()

    return run


def section_2():
    ten = [b"payload-%d" % number for number in range(10)]
    cases = [pings([b""]), pings([HELLO]), pings([BYTES]), pings([b"\xfe" * 125]), too_long_ping,
             pings([b"\xfe" * 125], chop=1), unsolicited_pong(b""), unsolicited_pong(b"unsolicited"),
             unsolicited_pong(b"unsolicited", then=b"ping"), pings(ten), pings(ten, chop=1)]
    for number, case in enumerate(cases, 1):
        yield f"2.{number}", case


def violation(*frames, chop=None, before=()):
    """Each frame: (opcode, payload, fin, rsv)."""

    async def run(client):
        for opcode, payload, fin, rsv in frames:
            client.frame(opcode, payload, fin, rsv, chop=chop)
        await client.expect_failure(PROTOCOL_ERROR, before=before)

    return run


FIRST = (TEXT, HELLO, True, 0)
ECHO = ("message", HELLO, False)
LAST = (PING, b"", True, 0)


def section_3():
    yield "3.1", violation((TEXT, HELLO, True, 1))
    yield "3.2", violation(FIRST, (TEXT, HELLO, True, 2), LAST, before=[ECHO])
    yield "3.3", violation(FIRST, (TEXT, HELLO, True, 3), LAST, before=[ECHO])
    yield "3.4", violation(FIRST, (TEXT, HELLO, True, 4), LAST, chop=1, before=[ECHO])
    yield "3.5", violation((BINARY, BYTES, True, 5))
    yield "3.6", violation((PING, HELLO, True, 6))
    yield "3.7", violation((8, b"", True, 7))


def section_4():
    for group, codes in enumerate((range(3, 8), range(11, 16)), 1):
        for number, code in enumerate(codes, 1):
            bad = (code, b"" if number in (1, 3) else b"reserved", True, 0)
            if number <= 2:
                yield f"4.{group}.{number}", violation(bad)
            else:
                yield f"4.{group}.{number}", violation(FIRST, bad, LAST, chop=1 if number == 5 else None, before=[ECHO])


def fragmented(pieces, ping=None, chop=None):
    async def run(client):
        for at, piece in enumerate(pieces):
            client.frame(TEXT if at == 0 else CONTINUATION, piece, fin=at == len(pieces) - 1, chop=chop)
            if ping is not None and at == 0:
                client.frame(PING, ping, chop=chop)
        if ping is not None:
            await client.expect_pong(ping)
        await client.expect_message(b"".join(pieces))
        await client.finish()

    return run


async def five_fragments_and_two_pings(client):
    pieces = [b"fragment%d" % number for number in range(1, 6)]
    client.frame(TEXT, pieces[0], fin=False)
    client.frame(CONTINUATION, pieces[1], fin=False)
    client.frame(PING, b"ping 1")
    await client.expect_pong(b"ping 1")
    await asyncio.sleep(0.2)
    client.frame(CONTINUATION, pieces[2], fin=False)
    client.frame(CONTINUATION, pieces[3], fin=False)
    client.frame(PING, b"ping 2")
    await client.expect_pong(b"ping 2")
    client.frame(CONTINUATION, pieces[4], fin=True)
    await client.expect_message(b"".join(pieces))
    await client.finish()


def section_5():
    two = [b"fragment1", b"fragment2"]
    yield "5.1", violation((PING, two[0], False, 0), (CONTINUATION, two[1], True, 0))
    yield "5.2", violation((PONG, two[0], False, 0), (CONTINUATION, two[1], True, 0))
    for number, chop in ((3, None), (4, 9), (5, 1)):
        yield f"5.{number}", fragmented(two, chop=chop)
    for number, chop in ((6, None), (7, 9), (8, 1)):
        yield f"5.{number}", fragmented(two, ping=b"ping", chop=chop)
    for first, fin in ((9, True), (12, False)):
        for number, chop in enumerate((None, 9, 1), first):
            yield f"5.{number}", violation((CONTINUATION, b"nothing to continue", fin, 0), FIRST, chop=chop)
    whole = [(TEXT, two[0], False, 0), (CONTINUATION, two[1], True, 0)]
    echoed = [("message", b"".join(two), False)]
    surplus = [(CONTINUATION, b"fragment3", False, 0), (TEXT, b"fragment4", True, 0)]
    yield "5.15", violation(*whole, *surplus, before=echoed)
    for number, fin in ((16, False), (17, True)):
        yield f"5.{number}", violation(*[(CONTINUATION, b"fragment1", fin, 0), (TEXT, b"fragment2", False, 0),
                                         (CONTINUATION, b"fragment3", True, 0)] * 2)
    yield "5.18", violation((TEXT, two[0], False, 0), (TEXT, two[1], True, 0))
    yield "5.19", five_fragments_and_two_pings
    yield "5.20", five_fragments_and_two_pings


def section_10():
    async def many_frames(client):
        payload = b"*" * 65536
        client.fragments(TEXT, [payload[at:at + 1300] for at in range(0, len(payload), 1300)])
        await client.expect_message(payload)
        await client.finish()

    yield "10.1.1", many_frames


def cases():
    for section in (section_1, section_2, section_3, section_4, section_5, section_10):
        yield from section()
