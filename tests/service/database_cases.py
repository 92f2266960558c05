"""The database is full, down, or locked by another program."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

from harness import Postgresql, Service, Skipped, check, locked_table, raise_descriptor_limit
from load import gather_statuses, request_item, weigh_waiting

# Of a GET that waits for PostgreSQL, with its connection. CMakeLists.txt sets another limit for g++.
WAITING_BYTES = int(os.environ.get("TARE_WAITING_BYTES", "750"))


def disk_full(program, folder):
    """Responds with 507 and writes nothing partially; recovers when there is space again."""
    small = os.path.join(folder, "small")
    os.mkdir(small)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        raise Skipped(f"cannot mount a small file system: {mounted.stderr.strip()}")
    try:
        with Service(program, database=f"sqlite:{small}/items.db", folder=folder) as service:
            service.wait_for(404)
            ballast = pathlib.Path(small, "ballast")
            ballast.write_bytes(b"x" * 150_000)
            stored, status = 0, 201
            while status == 201 and stored < 10_000:
                large = {"name": f"{stored} " + "n" * 2000, "price": 1}
                status, _, body = service.ask("POST", "/items", json.dumps(large))
                stored += status == 201
            check(status in (500, 507), f"{status} {body}")
            check(stored > 0, "nothing was stored before the disk was full")
            check(service.ask("GET", f"/items/{stored}")[0] == 200, "stored items are missing")
            check(service.ask("GET", f"/items/{stored + 1}")[0] == 404, "an item was written partially")
            ballast.unlink()
            status, _, body = service.ask("POST", "/items", json.dumps({"name": "after", "price": 1}))
            check(status == 201, f"the service did not recover: {status} {body}")
            service.process.send_signal(signal.SIGTERM)
            service.process.wait(15)
    finally:
        subprocess.run(["umount", small], check=True)


def database_down(program, folder):
    """Down at first, up, down again, up again: 503 while it is down, without a restart of the service."""
    database = Postgresql(folder)
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
        with Service(program, "--seed", database=url, folder=folder) as service:
            service.wait_for(503)
            status, headers, _ = service.ask("GET", "/items/1")
            check(status == 503 and "retry-after" in headers, headers)
            check(service.ask("GET", "/healthz")[0] == 503, "healthy without a database")
            database.start()
            service.wait_for(200)
            check(service.ask("POST", "/items", '{"name": "kept", "price": 1}')[0] == 201, "nothing can be stored")
            database.stop()
            service.wait_for(503)
            database.start()
            service.wait_for(200)
            check(service.ask("POST", "/items", '{"name": "kept", "price": 1}')[0] == 409, "stored items are missing")
            service.stop()
    finally:
        database.stop()


@contextlib.contextmanager
def service_with_items(program, folder, connections, budget):
    """The service over PostgreSQL, and a list for the sockets of so many clients, which are closed at the end."""
    if raise_descriptor_limit() < connections + 200:
        raise Skipped("too few descriptors for the connections")
    database = Postgresql(folder)
    database.start()
    clients = []
    try:
        url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
        with Service(program, "--seed", "--budget", f"{budget}M", database=url, folder=folder) as service:
            service.wait_for(200)
            yield service, database, clients
    finally:
        for client in clients:
            client.close()
        database.stop()


def database_locked(program, folder, connections=3000, budget=32, seconds=5):
    """All requests that wait for the database fit, because each holds less than 1 KB. None is refused, all succeed."""
    with service_with_items(program, folder, connections, budget) as (service, database, clients):
        before = service.resident()
        with locked_table(database):
            began = time.monotonic()
            for i in range(connections):
                clients.append(request_item(service.port, i))
            time.sleep(max(0, began + seconds - time.monotonic()))
            meanwhile = service.resident()
            status, _, body = service.ask("GET", "/metrics")
            check(status == 200, (status, body))
        counts = gather_statuses(clients, 20)
        most = service.resident("VmHWM")
        print(f"{connections} requests that wait: {counts}; {before / 2**20:.1f} MiB before, "
              f"{meanwhile / 2**20:.1f} MiB meanwhile, {most / 2**20:.1f} MiB at most of {budget}")
        check(counts == {200: connections}, f"not all were answered: {counts}")
        check(most <= budget << 20, f"it took {most} bytes")


def database_weight(program, folder, few=1000, many=8000, most=WAITING_BYTES):
    """The bytes of the process for each request that waits for PostgreSQL; afterwards all get their items."""
    with service_with_items(program, folder, many, 256) as (service, database, clients):
        with locked_table(database):
            weight, opened = weigh_waiting(
                service, lambda i: b"GET /items/%d HTTP/1.1\r\nHost: a\r\n\r\n" % (i % 1000 + 1), few, many)
            clients.extend(opened)
        counts = gather_statuses(clients, 20)
        print(f"{weight:.0f} bytes for each request that waits, from {few} to {many}: {counts}")
        check(counts == {200: many}, f"not all were answered: {counts}")
        check(weight <= most, f"a request that waits takes {weight:.0f} bytes, more than {most}")


CASES = {
    "disk-full": disk_full,
    "database-down": database_down,
    "database-locked": database_locked,
    "database-weight": database_weight,
    "database-locked-full": lambda program, folder: database_locked(program, folder, connections=12000, budget=64),
    "database-weight-full": lambda program, folder: database_weight(program, folder, many=15000),
}
