"""A server with the library websockets that echoes each message: main.py PORT KIND, or --version"""

import asyncio
import os
import ssl
import sys

import websockets


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(port, kind):
    secret = None
    if kind == "websocket-tls":
        secret = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secret.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    async with websockets.serve(echo, "127.0.0.1", port, backlog=4096, ssl=secret):
        await asyncio.Event().wait()


if sys.argv[1:] == ["--version"]:
    print(websockets.__version__)
    sys.exit(0)
if len(sys.argv) != 3 or not sys.argv[1].isdigit() or sys.argv[2] not in ("websocket", "websocket-tls"):
    sys.exit("usage: main.py PORT websocket|websocket-tls")
asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
