#!/usr/bin/env python3
"""Writes the seeds of the fuzz target `cores`: small core files with a heap, an arena, a stack and frames in each.

    python3 tests/fuzz/make_core.py build/release/bin/tare tests/fuzz/corpus/cores

The arena's description is taken from a program that has one (section .tare.arena), so it is always the current one.
"""

import struct
import subprocess
import sys
import tempfile

CODE, NOTE, HEAP, STACK, OTHER = 0x400000, 0x600000, 0x1000000, 0x7FF000000000, 0x7F0000000000
ARENA, TABLE = 0x7E0000000000, 0x7D0000000000
SLAB, ENTRY = 65536, 64


def frame(which, waiter=0, index=0, destroy=16, ended=False):
    resume = 0 if ended else CODE + 64 * which
    return struct.pack("<QQQHxxxxxx", resume, CODE + 64 * which + destroy, waiter, index) + bytes(16 + 16 * which)


def heap():
    """Allocated and free chunks, one of them with a frame inside another frame."""
    chunks = b""
    previous = 1
    contents = [bytes(0x280), frame(0), frame(1), frame(0, HEAP + 0x2A0), bytes(40), frame(2, index=3),
                frame(2, index=2)]
    contents.append(frame(0) + frame(1, destroy=32))
    for number, content in enumerate(contents):
        size = (len(content) + 8 + 15) // 16 * 16
        chunks += struct.pack("<QQ", 0, size | previous) + content.ljust(size - 16, b"\0")
        previous = 0 if number == 3 else 1
    rest = 0x2000 - len(chunks)
    return chunks + struct.pack("<QQ", 0, rest | 1) + bytes(rest - 16)


def arena_of(program):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.tare.arena", program, file.name], check=True)
        return bytearray(file.read())


def arena(description, links):
    """The arena's description, its table, and one slab of frames."""
    struct.pack_into("<QQQ", description, 16, ARENA, TABLE, 2)
    (object_bytes, fresh, capacity, run, use) = struct.unpack_from("<HHHHH", description, 52)
    frames_use = description[62]
    entry = bytearray(ENTRY)
    struct.pack_into("<I", entry, object_bytes, 64)
    struct.pack_into("<I", entry, capacity, 1024)
    struct.pack_into("<I", entry, fresh, 1024 - 8)
    entry[use] = frames_use
    slab = b"".join(frame(0)[:16] + struct.pack("<III", 0, 0, links[i]) + bytes(3) + b"\0" + bytes(32)
                    for i in range(8))
    return bytes(description), bytes(ENTRY) + bytes(entry), slab


def note(kind, content):
    name = b"CORE\0\0\0\0"
    return struct.pack("<III", 5, len(content), kind) + name + content.ljust((len(content) + 3) // 4 * 4, b"\0")


def core(segments, stack_pointer):
    status = bytearray(336)
    struct.pack_into("<i", status, 32, 4711)
    struct.pack_into("<Q", status, 112 + 19 * 8, stack_pointer)
    info = bytearray(136)
    struct.pack_into("<i", info, 24, 4711)
    info[40:46] = b"server"
    files = struct.pack("<QQQQQ", 1, 4096, CODE, CODE + 4096, 0) + b"/nowhere/server\0"
    notes = note(1, status) + note(3, info) + note(6, struct.pack("<QQQQ", 9, CODE, 0, 0)) + note(0x46494C45, files)
    count = 1 + len(segments)
    at = 64 + 56 * count
    headers = struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(notes), 0, 4)
    at += len(notes)
    body = b""
    for address, flags, content, size in segments:
        headers += struct.pack("<IIQQQQQQ", 1, flags, at + len(body), address, 0, len(content), size, 4096)
        body += content
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    return head + headers + notes + body


def main():
    program, folder = sys.argv[1:]
    links = [0, (SLAB + 16) // 8, (SLAB + 64 + 16) // 8, 0, 7, 0, (SLAB + 6 * 64 + 16) // 8, 0]
    description, table, slab = arena(arena_of(program), links)
    stack = bytes(256) + frame(0, destroy=32) + bytes(64)
    segments = [
        (CODE, 5, b"", 4096),
        (NOTE, 6, description, 4096),
        (HEAP, 6, heap(), 0x2000),
        (TABLE, 6, table, 4096),
        (ARENA, 6, bytes(0), SLAB),
        (ARENA + SLAB, 6, slab, SLAB),
        (OTHER, 6, bytes(16) + frame(1, OTHER + 200) + frame(0, ended=True) + frame(2, index=4), 4096),
        (STACK, 6, stack, 4096),
    ]
    chosen = {"all": segments, "heap": segments[:1] + segments[2:3], "arena": segments[:2] + segments[3:6]}
    for name, some in chosen.items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(core(some, STACK + 128))


if __name__ == "__main__":
    main()
