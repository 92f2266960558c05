"""Large numbers of clients: they send requests as fast as they can, never finish a request head, or wait."""

import asyncio
import contextlib
import json
import os
import select
import socket
import threading
import time

from harness import raise_descriptor_limit


@contextlib.contextmanager
def watched(service):
    """Yields a list whose only element is the largest resident size while the context is active."""
    most, going = [0], [True]

    def watch():
        while going[0]:
            most[0] = max(most[0], service.resident())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        going[0] = False
        watcher.join()


async def read_answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def flooding(port, number, until, counts):
    """A client that sends the next request after each response, and reconnects if its connection is closed."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 30)
        except (OSError, asyncio.TimeoutError):
            counts["not connected"] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            while time.monotonic() < until:
                item = number % 1000 + 1
                writer.write(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % item)
                try:
                    status, headers, body = await asyncio.wait_for(read_answer(reader), 30)
                except (OSError, asyncio.IncompleteReadError):
                    counts["ended"] += 1  # an idle connection that was closed to make room for others
                    break
                if status == 200 and json.loads(body)["id"] == item:
                    counts["answered"] += 1
                elif status == 503 and "retry-after" in headers:
                    counts["refused"] += 1
                    await asyncio.sleep(0.01)
                else:
                    counts["wrong"] += 1
                    counts["last wrong"] = f"{status} {body[:80]}"
                number += 1
        except asyncio.TimeoutError:
            counts["silent"] += 1
        finally:
            writer.close()


async def patient(port):
    """A client that sends an endless head, one line per second. Returns whether the server closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\n")
    try:
        for number in range(40):
            try:
                said = await asyncio.wait_for(reader.read(4096), 1)
            except asyncio.TimeoutError:
                writer.write(b"X-%d: a\r\n" % number)
                continue
            return said == b"" or b" 408 " in said
    except OSError:
        return True
    finally:
        writer.close()
    return False


def patient_clients(port, connections):
    """The number of such clients whose connections the server closed."""
    raise_descriptor_limit()
    os.nice(19)  # what they do would run on other machines

    async def all_of_them():
        return await asyncio.gather(*(patient(port) for _ in range(connections)))

    return sum(asyncio.run(all_of_them()))


def request_item(port, number):
    """A new connection that has requested an item, and from which nothing has been read."""
    client = socket.create_connection(("127.0.0.1", port), timeout=20)
    client.sendall(b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (number % 1000 + 1))
    return client


def weigh_waiting(service, request, few, many):
    """Sends `request(number)` on new connections, first `few`, then `many` in total, which all must wait.

    Returns the bytes of the process per request, and the clients."""
    clients, resident = [], []
    for count in (few, many):
        while len(clients) < count:
            client = socket.create_connection(("127.0.0.1", service.port), timeout=20)
            client.sendall(request(len(clients)))
            clients.append(client)
        time.sleep(1)
        resident.append(service.resident())
    return (resident[1] - resident[0]) / (many - few), clients


def gather_statuses(clients, seconds):
    """How often each status was received; 0 stands for no response in time."""
    unread = {each.fileno(): each for each in clients}
    counts = {}
    deadline = time.monotonic() + seconds
    with select.epoll() as poll:
        for fd in unread:
            poll.register(fd, select.EPOLLIN)
        while unread and time.monotonic() < deadline:
            for fd, _ in poll.poll(0.5):
                poll.unregister(fd)
                try:
                    answer = unread.pop(fd).recv(4096)
                except OSError:
                    answer = b""
                status = int(answer[9:12]) if len(answer) > 12 else 0
                counts[status] = counts.get(status, 0) + 1
    if unread:
        counts["silent"] = len(unread)
    return counts
