"""Section 7: the closing handshake."""

from client import CONTINUATION, INVALID_DATA, PING, PROTOCOL_ERROR, TEXT

HELLO = b"Hello World!"
NORMAL = (1000).to_bytes(2, "big")


async def after_a_message(client):
    client.frame(TEXT, HELLO)
    await client.expect_message(HELLO)
    await client.finish()


def then_ignored(*frames, first=()):
    """What follows a close frame is ignored."""

    async def run(client):
        for opcode, payload, fin in first:
            client.frame(opcode, payload, fin)
        client.close_frame(NORMAL)
        for opcode, payload, fin in frames:
            client.frame(opcode, payload, fin)
        await client.expect_clean_close(1000)

    return run


async def after_a_large_message(client):
    large = b"*" * (256 << 10)
    client.frame(TEXT, large)
    client.frame(TEXT, HELLO)
    client.close_frame(NORMAL)
    client.frame(PING, b"")
    await client.expect_message(large)
    await client.expect_message(HELLO)
    await client.expect_clean_close(1000)


def closes(payload, *codes):
    async def run(client):
        client.close_frame(payload)
        await client.expect_clean_close(*codes)

    return run


def fails(payload, *codes):
    async def run(client):
        client.close_frame(payload)
        await client.expect_failure(*codes)

    return run


def code(number):
    return number.to_bytes(2, "big")


def informational(payload):
    """RFC 6455 leaves open what such a code means; the connection must end."""

    async def run(client):
        client.close_frame(payload)
        while (await client.next_event())[0] != "closed":
            pass

    return run


def cases():
    yield "7.1.1", after_a_message
    yield "7.1.2", then_ignored((8, NORMAL, True))
    yield "7.1.3", then_ignored((PING, b"", True))
    yield "7.1.4", then_ignored((TEXT, HELLO, True))
    yield "7.1.5", then_ignored((CONTINUATION, b"fragment2", True), first=[(TEXT, b"fragment1", False)])
    yield "7.1.6", after_a_large_message
    yield "7.3.1", closes(b"", None, 1000, 1005)
    yield "7.3.2", fails(b"\x03", PROTOCOL_ERROR)
    yield "7.3.3", closes(NORMAL, 1000)
    yield "7.3.4", closes(NORMAL + HELLO, 1000)
    yield "7.3.5", closes(NORMAL + b"*" * 123, 1000)
    yield "7.3.6", fails(NORMAL + b"*" * 124, PROTOCOL_ERROR)
    yield "7.5.1", fails(NORMAL + b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited", INVALID_DATA, PROTOCOL_ERROR)
    valid = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for number, each in enumerate(valid, 1):
        yield f"7.7.{number}", closes(code(each), each, 1000)
    for number, each in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
        yield f"7.9.{number}", fails(code(each), PROTOCOL_ERROR)
    yield "7.13.1", informational(code(5000))
    yield "7.13.2", informational(code(65535))
