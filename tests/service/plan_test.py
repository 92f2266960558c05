#!/usr/bin/env python3
"""Checks that what `tare plan` predicts for the service is what it uses: plan_test.py TARE SERVICE

Weighs the service with few connections and few waiting requests, and compares the predictions for many of both with
measurements. The requests wait because another program has locked their table in PostgreSQL.
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from harness import Postgresql, Service, Skipped, locked_table, raise_descriptor_limit
from load import gather_statuses, request_item

FEW = (1000, 5000)
MANY = 15000
WAITING_FEW = (500, 2000)
WAITING_MANY = 8000
WITHIN = 0.1


def run(tare, *arguments):
    ended = subprocess.run([tare, *arguments], capture_output=True, text=True, timeout=100)
    if ended.returncode != 0:
        sys.exit(f"{arguments[0]} failed: {ended.stderr}")


def predicted_bytes(tare, folder, *arguments):
    plan = pathlib.Path(folder, "plan.json")
    run(tare, "plan", "--memory", "8G", *arguments, "--json", str(plan))
    return json.loads(plan.read_text())["memory"]["resident_bytes"]


def compare(what, predicted, measured):
    print(f"{what}: predicted {predicted:.0f} bytes, measured {measured}")
    if abs(predicted - measured) > WITHIN * measured:
        sys.exit("the prediction is wrong by more than a tenth")


def connections(tare, service, folder):
    """Idle connections, weighed by tare. Returns the file with the weights."""
    def weigh(counts, into):
        run(tare, "weigh", "--connections", "--runs", "1", "--n", ",".join(map(str, counts)), "--path", "/healthz",
            "--json", into, "--", service, "--db", "sqlite::memory:", "--listen", "127.0.0.1:{port}")

    few, many = (str(pathlib.Path(folder, name)) for name in ("few.json", "many.json"))
    weigh(FEW, few)
    predicted = predicted_bytes(tare, folder, "--from", few, "--predict", str(MANY))
    weigh((FEW[0], MANY), many)
    points = json.loads(pathlib.Path(many).read_text())["results"][0]["points"]
    compare(f"{MANY} connections", predicted, next(point["rss_bytes"] for point in points if point["n"] == MANY))
    return few


def resident_while_waiting(service, idle, waiting):
    """The resident bytes of the service without clients and with idle connections and waiting requests."""
    clients = []
    with tempfile.TemporaryDirectory(prefix="tare-plan-") as folder:
        database = Postgresql(folder)
        database.start()
        try:
            url = f"postgresql://tare@127.0.0.1:{database.port}/postgres"
            with Service(service, "--seed", "--budget", "256M", database=url, folder=folder) as started:
                started.wait_for(200)
                before = started.resident()
                with locked_table(database):
                    for _ in range(idle):
                        clients.append(socket.create_connection(("127.0.0.1", started.port), timeout=20))
                    for i in range(waiting):
                        clients.append(request_item(started.port, i))
                    time.sleep(1)
                    meanwhile = started.resident()
                counts = gather_statuses(clients[idle:], 20)
                if counts != {200: waiting}:
                    sys.exit(f"not all were answered: {counts}")
                return before, meanwhile
        finally:
            for client in clients:
                client.close()
            database.stop()


def waiting_requests(tare, service, folder, weights):
    """Idle connections and requests that wait for their database. No request responds meanwhile."""
    few, more = (resident_while_waiting(service, 0, count) for count in WAITING_FEW)
    slope = (more[1] - few[1]) / (WAITING_FEW[1] - WAITING_FEW[0])
    weight = json.loads(pathlib.Path(weights).read_text())["results"][0]["slope_bytes"]
    idle = MANY - WAITING_MANY
    predicted = predicted_bytes(
        tare, folder, "--weight", str(weight), "--base", str(few[0]), "--in-flight", str(WAITING_MANY),
        "--responding", "0", "--waiting", str(round(slope - weight)),
        "--predict", str(MANY))
    _, measured = resident_while_waiting(service, idle, WAITING_MANY)
    compare(f"{idle} idle connections and {WAITING_MANY} waiting requests of {slope:.0f} bytes", predicted, measured)


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} TARE SERVICE")
    hard = raise_descriptor_limit()
    if hard < MANY + 200:
        print(f"skipped: not enough descriptors: ulimit -Hn is {hard}")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="tare-plan-") as folder:
        weights = connections(*sys.argv[1:], folder)
        try:
            waiting_requests(*sys.argv[1:], folder, weights)
        except Skipped as why:
            print(f"skipped: {why}")
            sys.exit(77)


if __name__ == "__main__":
    main()
