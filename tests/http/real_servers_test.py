#!/usr/bin/env python3
"""Tests the WebSocket client of tare::http with the server of Python's websockets.

usage: real_servers_test.py CLIENT (epoll | io_uring)

Exits with 77, which ctest takes for "skipped", if websockets is not installed.
"""

import asyncio
import sys

SKIPPED = 77

try:
    import websockets
except ImportError:
    sys.exit(SKIPPED)


async def main():
    client, reactor = sys.argv[1:]
    seen = []

    async def echo(socket):
        try:
            async for message in socket:
                await socket.send(message)
        finally:
            seen.append(([each.name for each in socket.extensions], socket.close_code, socket.close_reason))

    for offered in ("plain", "compress"):
        for accepted in (None, "deflate"):
            async with websockets.serve(echo, "127.0.0.1", 0, compression=accepted, subprotocols=["echo"]) as server:
                port = server.sockets[0].getsockname()[1]
                process = await asyncio.create_subprocess_exec(client, f"ws://127.0.0.1:{port}/", offered, reactor)
                assert await asyncio.wait_for(process.wait(), 60) == 0, (offered, accepted, process.returncode)
            both = offered == "compress" and accepted is not None
            assert seen.pop() == (["permessage-deflate"] if both else [], 4001, "done"), (offered, accepted)


asyncio.run(main())
