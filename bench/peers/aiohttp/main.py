"""A server with aiohttp: main.py PORT KIND, or --version"""

import asyncio
import functools
import json
import os
import ssl
import sys

import aiohttp
from aiohttp import web


class Waiting:
    """The long polls that wait for the next release."""

    def __init__(self):
        self.next = asyncio.Event()

    async def poll(self, _):
        await self.next.wait()
        return hello_response()

    async def release(self, _):
        self.next.set()
        self.next = asyncio.Event()
        return hello_response()


def hello_response():
    return web.Response(text="Hello, world!")


async def hello(_):
    return hello_response()


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    for _ in range(10):
        await response.write(b"data: an event of a stream that is weighed\n\n")
    await asyncio.Event().wait()  # until the client leaves
    return response


compact = functools.partial(json.dumps, separators=(",", ":"))


class Items:
    def __init__(self, pool):
        self.pool = pool

    async def get(self, request):
        row = await self.pool.fetchrow("SELECT id, name, price FROM items WHERE id = $1",
                                       int(request.match_info["id"]))
        return web.json_response(dict(row), dumps=compact)


async def main(port, kind):
    app = web.Application()
    if kind.startswith("websocket"):
        app.router.add_get("/", echo)
    elif kind == "database":
        import asyncpg  # only needed here
        pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=16, max_size=16)
        app.router.add_get("/items/{id}", Items(pool).get)
    elif kind == "sse":
        app.router.add_get("/", events)
    elif kind == "long-poll":
        waiting = Waiting()
        app.router.add_get("/", waiting.poll)
        app.router.add_get("/release", waiting.release)
    else:
        app.router.add_get("/", hello)
    secret = None
    if kind in ("https", "websocket-tls"):
        secret = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secret.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096, ssl_context=secret).start()
    await asyncio.Event().wait()


KINDS = ("http", "https", "websocket", "websocket-tls", "sse", "long-poll", "database")
if sys.argv[1:] == ["--version"]:
    print(aiohttp.__version__)
    sys.exit(0)
if len(sys.argv) != 3 or not sys.argv[1].isdigit() or sys.argv[2] not in KINDS:
    sys.exit("usage: main.py PORT KIND")
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
