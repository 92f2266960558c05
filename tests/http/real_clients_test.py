#!/usr/bin/env python3
"""Tests a server of tare::http with common clients: curl, Python's http.client, a WebSocket client, wrk.

usage: real_clients_test.py SERVER (curl | http.client | websockets | wrk) [epoll | io_uring]

Exits with 77, which ctest takes for "skipped", if the client is not installed.
"""

import http.client
import shutil
import subprocess
import sys

SKIPPED = 77


def curl(port):
    if shutil.which("curl") is None:
        sys.exit(SKIPPED)
    base = f"http://127.0.0.1:{port}"

    def run(*arguments, stdin=None):
        command = ["curl", "--silent", "--show-error", "--max-time", "20", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=True).stdout

    assert run(f"{base}/hello") == b"hello\n"
    # Twice on one connection: the second time, curl reports that it needed no new one.
    twice = run("--write-out", "%{num_connects} ", f"{base}/hello", f"{base}/hello")
    assert twice == b"hello\n1 hello\n0 ", twice
    assert run("--data-binary", "@-", f"{base}/echo", stdin=b"x" * 100_000) == b"x" * 100_000
    # Chunked, and with Expect: 100-continue, which curl sends for large bodies.
    chunked = run("--header", "Transfer-Encoding: chunked", "--data-binary", "@-", f"{base}/echo", stdin=b"y" * 50_000)
    assert chunked == b"y" * 50_000
    expecting = run("--header", "Expect: 100-continue", "--data-binary", "@-", f"{base}/echo", stdin=b"z" * 50_000)
    assert expecting == b"z" * 50_000
    head = run("--head", f"{base}/hello")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"content-length: 6\r\n" in head, head
    assert run("--http1.0", f"{base}/hello") == b"hello\n"
    assert run("--output", "/dev/null", "--write-out", "%{http_code}", f"{base}/nothing") == b"404"
    assert run(f"{base}/stream") == b"".join(b"%d\n" % n for n in range(1000))
    assert run(f"{base}/items/a%20b") == b"a b"


def http_client(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for size in (0, 1, 8000, 9000, 300_000):
        body = b"p" * size
        connection.request("POST", "/echo", body=body)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == body
    connection.request("POST", "/echo", body=iter([b"one ", b"two ", b"three"]), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().read() == b"one two three"
    connection.request("HEAD", "/hello")
    answer = connection.getresponse()
    assert answer.getheader("content-length") == "6" and answer.read() == b""
    connection.request("GET", "/stream")
    assert len(connection.getresponse().read().splitlines()) == 1000
    connection.request("DELETE", "/hello")
    answer = connection.getresponse()
    assert answer.status == 405 and answer.getheader("allow") == "GET, HEAD"
    answer.read()
    connection.close()


def websocket(port):
    try:
        import asyncio

        import websockets
    except ImportError:
        sys.exit(SKIPPED)

    async def talk():
        uri = f"ws://127.0.0.1:{port}/chat"
        async with websockets.connect(uri, compression="deflate", max_size=None) as socket:
            assert [each.name for each in socket.extensions] == ["permessage-deflate"], socket.extensions
            for message in ("", "hello", "gr\u00fc\u00df \U0001f600", "x" * 70_000, b"\x00\xff" * 500):
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send(part for part in ("in ", "several ", "frames"))
            assert await socket.recv() == "in several frames"
            await asyncio.wait_for(await socket.ping(), 10)
        assert socket.close_code == 1000
        async with websockets.connect(uri, compression=None) as socket:
            assert not socket.extensions
            await socket.send("not compressed" * 100)
            assert await socket.recv() == "not compressed" * 100
        async with websockets.connect(uri) as socket:
            await socket.send("x" * 2_000_000)
            try:
                await socket.recv()
                raise AssertionError("a message over the limit was accepted")
            except websockets.exceptions.ConnectionClosed:
                assert socket.close_code == 1009, socket.close_code

    asyncio.run(asyncio.wait_for(talk(), 30))


def wrk(port):
    if shutil.which("wrk") is None:
        sys.exit(SKIPPED)
    command = ["wrk", "-t1", "-c32", "-d1s", f"http://127.0.0.1:{port}/hello"]
    report = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    requests = next(int(line.split()[0]) for line in report.splitlines() if "requests in" in line)
    assert requests > 100, report


def main():
    server, client = sys.argv[1], sys.argv[2]
    clients = {"curl": curl, "http.client": http_client, "websockets": websocket, "wrk": wrk}
    process = subprocess.Popen([server, *sys.argv[3:]], stdout=subprocess.PIPE, text=True)
    try:
        clients[client](int(process.stdout.readline()))
        # On SIGTERM it drains and ends by itself.
        process.terminate()
        assert process.wait(timeout=20) == 0, process.returncode
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
