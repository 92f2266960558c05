#!/usr/bin/env python3
"""Runs the case list of the Autobahn test suite against a WebSocket server, with Debian's python3-autobahn as client.

usage: run.py SERVER [epoll | io_uring] [--only PREFIX] [--messages N]
              [--in-pieces] [--list]

The suite itself is not packaged. The cases of its sections 1 to 7, 9, 10, 12 and 13
(https://github.com/crossbario/autobahn-testsuite) are written anew here, with the same numbers. Prints the count of
each section, and exits with 1 if a case fails; with 77, which ctest takes for "skipped", if python3-autobahn is not
installed.
"""

import argparse
import asyncio
import collections
import subprocess
import sys

SKIPPED = 77

try:
    import client
    import closing
    import compression
    import framing
    import limits
    import text
except ImportError as missing:
    if missing.name and missing.name.split(".")[0] != "autobahn":
        raise
    sys.exit(SKIPPED)


def all_cases():
    parts = (framing, text, closing, limits, compression)
    found = [client.Case(*case) for part in parts for case in part.cases()]
    return sorted(found, key=lambda case: [int(number) for number in case.name.split(".")])


async def outcome_of(case, port):
    """None, or what went wrong."""
    try:
        connected = await client.connect(port, **case.options)
    except (OSError, client.Unexpected, asyncio.TimeoutError) as error:
        return f"cannot connect: {error!r}"
    try:
        await asyncio.wait_for(case.run(connected), 60)
        await asyncio.wait_for(asyncio.shield(connected.closed), client.Client.seconds)
    except client.Unexpected as unexpected:
        return str(unexpected)
    except asyncio.TimeoutError:
        return "takes too long"
    finally:
        if connected.transport is not None:
            connected.transport.abort()
    return None


async def run_all(port, prefix):
    passed, failed = collections.Counter(), collections.Counter()
    for case in all_cases():
        if not case.name.startswith(prefix):
            continue
        wrong = await outcome_of(case, port)
        section = int(case.name.split(".")[0])
        (failed if wrong else passed)[section] += 1
        if wrong:
            print(f"{case.name}: {wrong}", flush=True)
    for section in sorted(passed | failed):
        total = passed[section] + failed[section]
        print(f"section {section}: {passed[section]} of {total}")
    return 0 if passed and not failed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server")
    parser.add_argument("reactor", nargs="?", choices=("epoll", "io_uring"), default="epoll")
    parser.add_argument("--only", metavar="PREFIX", default="", help='the cases whose numbers begin so, such as "6.4."')
    parser.add_argument("--messages", type=int, default=client.Client.messages,
                        help="messages of each case of sections 12 and 13; the suite sends 1000")
    parser.add_argument("--in-pieces", action="store_true",
                        help="with the route of the server that receives and sends messages in pieces")
    parser.add_argument("--list", action="store_true", help="print the numbers of the cases")
    given = parser.parse_args()
    if given.list:
        print("\n".join(case.name for case in all_cases()))
        return 0
    client.Client.messages = given.messages
    if given.in_pieces:
        client.Client.root = "/pieces"
    with subprocess.Popen([given.server, given.reactor], stdout=subprocess.PIPE, text=True) as server:
        try:
            return asyncio.run(run_all(int(server.stdout.readline()), given.only))
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
