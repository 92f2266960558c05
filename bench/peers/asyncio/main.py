"""n tasks of asyncio, asleep, and a parent that waits for them all.

python3 main.py N
"""

import asyncio
import sys


async def sleeper() -> None:
    await asyncio.sleep(3600)


async def main(n: int) -> None:
    tasks = [asyncio.create_task(sleeper()) for _ in range(n)]
    await asyncio.sleep(0)  # every task runs to its sleep
    print("READY", flush=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        sys.exit("usage: main.py N")
    asyncio.run(main(int(sys.argv[1])))
