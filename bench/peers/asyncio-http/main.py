"""A server with asyncio's streams that responds to every request with a fixed text: main.py PORT

It reads heads up to the empty line, and no bodies, because no client sends any here.
"""

import asyncio
import sys

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"


async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if len(sys.argv) != 2 or not sys.argv[1].isdigit():
    sys.exit("usage: main.py PORT")
asyncio.run(main(int(sys.argv[1])))
