#!/usr/bin/env python3
"""Measures a request to the reference service with SQLite and with PostgreSQL: time, and memory while it waits.

    python3 bench/service/figures.py [build/release]

For each database: GETs of one item per second on 64 connections, and the service's processor time per GET; then the
bytes of the process per request, from 1,000 to 15,000 that wait for the database, which another program has locked,
and the frames that `tare live` sees in them. It starts its own PostgreSQL (apt-get install postgresql).
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "service"))

from harness import Postgresql, Service, Skipped, check, locked_table, raise_descriptor_limit  # noqa: E402
from inside import live_sites, tare_beside  # noqa: E402
from load import weigh_waiting  # noqa: E402


def throughput(tare, service):
    """GETs of one item on 64 connections: the rate, and the processor time of the service per GET."""
    words = [tare, "hold", "--load", "--connections", "64", "--seconds", "5", "--pid",
             str(service.process.pid), "--json", "-", f"http://127.0.0.1:{service.port}/items/1"]
    done = subprocess.run(words, capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def under_way(program, service, request, few, many):
    """Bytes of the process per request that waits for its database, and the frames meanwhile."""
    weight, clients = weigh_waiting(service, request, few, many)
    sites = live_sites(program, service.process.pid)
    check(sites is not None, "tare live is not permitted to inspect the service")
    for client in clients:
        client.close()
    return weight, [site for site in sites if site["count"] >= many / 2]


def get(_):
    return b"GET /items/1 HTTP/1.1\r\nHost: a\r\n\r\n"


def post(number):
    body = json.dumps({"name": f"new {number}", "price": 1}).encode()
    return b"POST /items HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@contextlib.contextmanager
def written_to(file):
    """Another program holds the write lock; readers continue."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def report(title, program, database, request, hold_back):
    with tempfile.TemporaryDirectory(prefix="tare-figures-") as folder:
        with Service(program, "--seed", "--budget", "4G", database=database, folder=folder) as service:
            service.wait_for(200)
            served = throughput(tare_beside(program), service)
            with hold_back:
                weight, sites = under_way(program, service, request, 1000, 15000)
    print(f"\n{title}: {served['requests_per_second']:,.0f} GETs per second on 64 connections, "
          f"{served['server_cpu_seconds_per_request'] * 1e6:.0f} us of CPU time each\n"
          f"a request that waits for the database: {weight:,.0f} bytes of the process, of which frames:")
    for site in sites:
        name = re.sub(r"[<(].*", "", site["function"])
        print(f"  {site['frame_bytes']:6} {name}  {os.path.basename(site['file'])}:{site['line']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=pathlib.Path, default=ROOT / "build/release",
                        help="folder with bin/service and bin/tare (default build/release)")
    program = parser.parse_args().build / "bin" / "service"
    if not program.exists():
        parser.error(f"{program} does not exist: cmake --build --preset release --target service tare_cli")
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="tare-figures-") as folder:
        file = f"{folder}/items.db"
        report("SQLite", program, f"sqlite:{file}", post, written_to(file))
        try:
            database = Postgresql(folder)
        except Skipped as why:
            sys.exit(str(why))
        database.start()
        try:
            url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
            report("PostgreSQL", program, url, get, locked_table(database))
        finally:
            database.stop()


if __name__ == "__main__":
    main()
