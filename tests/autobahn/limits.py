"""Section 9: large messages, whole, in fragments and in segments, and many small ones."""

from client import BINARY, TEXT
from framing import echo

KIB, MIB = 1 << 10, 1 << 20
KINDS = ((TEXT, b"*"), (BINARY, b"\xfe"))


def in_fragments(opcode, payload, size):
    async def run(client):
        client.fragments(opcode, [payload[at:at + size] for at in range(0, len(payload), size)])
        await client.expect_message(payload, opcode == BINARY)
        await client.finish()

    return run


def many(opcode, payload):
    async def run(client):
        for _ in range(1000):
            client.frame(opcode, payload)
            await client.expect_message(payload, opcode == BINARY)
        await client.finish()

    return run


def cases():
    for offset, (opcode, byte) in enumerate(KINDS):
        for number, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1):
            yield f"9.{1 + offset}.{number}", echo(opcode, byte * size)
        sizes = (64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB)
        for number, size in enumerate(sizes, 1):
            yield f"9.{3 + offset}.{number}", in_fragments(opcode, byte * (4 * MIB), size)
        for number, chop in enumerate((64, 128, 256, 512, 1024, 2048), 1):
            yield f"9.{5 + offset}.{number}", echo(opcode, byte * MIB, chop)
        for number, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
            yield f"9.{7 + offset}.{number}", many(opcode, byte * size)
