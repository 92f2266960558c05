"""The workloads of bench/README.md on asyncio, with its own event loop or uvloop's.

python3 main.py asyncio|uvloop WORKLOAD N
python3 main.py --version asyncio|uvloop
"""

import asyncio
import functools
import gc
import platform
import sys
import time

FOR_EVER = 3600.0
AT_ONCE = 0.001
REQUEST = bytes([7]) * 1024
CHURN_ALIVE = 100_000
CHURN_ROUND = 1_000

parked = 0
checksum = 0


def noted(length: float) -> float:
    """Counts the tasks when they are suspended."""
    global parked
    if length == FOR_EVER:
        parked += 1
    return length


# empty


async def sleeper() -> None:
    await asyncio.sleep(noted(FOR_EVER))


# handler


async def read(until_arrival: float) -> bytearray:
    """A stream's read: allocates the buffer when the bytes have arrived."""
    await asyncio.sleep(noted(until_arrival))
    buffer = bytearray(4096)
    memoryview(buffer)[: len(REQUEST)] = REQUEST
    return buffer


def key_of(request: memoryview) -> int:
    return sum(request)


async def query(key: int, latency: float) -> int:
    await asyncio.sleep(noted(latency))
    return key * 31 + 7


def build_response(row: int, identifier: int) -> bytearray:
    response = bytearray(2048)
    response[0] = identifier
    response[1:9] = row.to_bytes(8, "little")
    return response


async def write(response: bytearray) -> None:
    global checksum
    await asyncio.sleep(AT_ONCE)
    checksum += response[8]


async def handler(until_arrival: float, latency: float) -> None:
    request = await read(until_arrival)
    row = await query(key_of(memoryview(request)[:1024]), latency)
    response = build_response(row, request[0])
    await write(response)


async def trimmed_handler(until_arrival: float, latency: float) -> None:
    request = await read(until_arrival)
    key, identifier = key_of(memoryview(request)[:1024]), request[0]
    del request
    row = await query(key, latency)
    response = build_response(row, identifier)
    await write(response)


# nested


async def nested(level: int, value: int, at_leaf: float) -> int:
    if level == 1:
        await asyncio.sleep(noted(at_leaf))
        return value
    return value + await nested(level - 1, value + 1, at_leaf)


async def nested_task(at_top: float, at_leaf: float) -> None:
    global checksum
    if at_top == FOR_EVER:
        await asyncio.sleep(noted(at_top))
    checksum += await nested(8, 1, at_leaf)


# mostly-ready


async def look_up(i: int) -> int:
    if i % 100 == 0:
        await asyncio.sleep(0)
    return i


async def mostly_ready(n: int) -> None:
    global checksum
    start = time.perf_counter()
    for i in range(n):
        checksum += await look_up(i)
    print(f"seconds={time.perf_counter() - start}")


# churn


async def short_task(i: int) -> None:
    global checksum
    await asyncio.sleep(0)
    checksum += i


async def churn(n: int) -> None:
    start = time.perf_counter()
    for done in range(0, n, CHURN_ROUND):
        await asyncio.gather(*(short_task(i) for i in range(done, min(n, done + CHURN_ROUND))))
    print(f"seconds={time.perf_counter() - start}")


TASKS = {
    "empty": sleeper,
    "handler-at-read": functools.partial(handler, FOR_EVER, AT_ONCE),
    "handler-at-query": functools.partial(handler, AT_ONCE, FOR_EVER),
    "trimmed-at-read": functools.partial(trimmed_handler, FOR_EVER, AT_ONCE),
    "trimmed-at-query": functools.partial(trimmed_handler, AT_ONCE, FOR_EVER),
    "nested-at-leaf": functools.partial(nested_task, AT_ONCE, FOR_EVER),
    "nested-at-top": functools.partial(nested_task, FOR_EVER, AT_ONCE),
    "churn": sleeper,
}


async def main(workload: str, n: int) -> None:
    if workload == "mostly-ready":
        await mostly_ready(n)
        print("READY", flush=True)
        await asyncio.sleep(FOR_EVER)
        return
    count = CHURN_ALIVE if workload == "churn" else n
    start = time.perf_counter()
    tasks = [asyncio.create_task(TASKS[workload]()) for _ in range(count)]
    await asyncio.sleep(0)  # every task runs to its first await
    while parked < count:
        await asyncio.sleep(AT_ONCE)
    print(f"spawn_seconds={time.perf_counter() - start}")
    if workload == "churn":
        await churn(n)
    gc.collect()
    print("READY", flush=True)
    await asyncio.gather(*tasks)


def runner(loop: str):
    if loop == "uvloop":
        import uvloop

        return lambda body: asyncio.Runner(loop_factory=uvloop.new_event_loop).run(body)
    return asyncio.run


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--version", "uvloop"]:
            import uvloop

            print(f"{uvloop.__version__} (Python {platform.python_version()})")
        case ["--version", "asyncio"]:
            print(platform.python_version())
        case [("asyncio" | "uvloop") as loop, workload, count] if count.isdecimal() and (
            workload in TASKS or workload == "mostly-ready"
        ):
            runner(loop)(main(workload, int(count)))
        case _:
            sys.exit("usage: main.py asyncio|uvloop WORKLOAD N")
