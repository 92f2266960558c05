#!/usr/bin/env python3
"""Checks that what `tare plan` predicts for many connections is what they use: plan_test.py TARE SERVICE

Weighs the service with few connections, and compares the prediction for many with a measurement.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

FEW = (1000, 5000)
MANY = 15000
WITHIN = 0.1

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard != resource.RLIM_INFINITY and hard < MANY + 200:
    print(f"skipped: not enough descriptors: ulimit -Hn is {hard}")
    sys.exit(77)
if len(sys.argv) != 3:
    sys.exit(f"usage: {sys.argv[0]} TARE SERVICE")
tare, service = sys.argv[1:]


def run(*arguments):
    ended = subprocess.run([tare, *arguments], capture_output=True, text=True, timeout=100)
    if ended.returncode != 0:
        sys.exit(f"{arguments[0]} failed: {ended.stderr}")


def weigh(counts, into):
    run("weigh", "--connections", "--runs", "1", "--n", ",".join(map(str, counts)), "--path", "/healthz",
        "--json", into, "--", service, "--db", "sqlite::memory:", "--listen", "127.0.0.1:{port}")


with tempfile.TemporaryDirectory(prefix="tare-plan-") as folder:
    few, many, plan = (str(pathlib.Path(folder, name)) for name in ("few.json", "many.json", "plan.json"))
    weigh(FEW, few)
    run("plan", "--memory", "8G", "--from", few, "--predict", str(MANY), "--json", plan)
    weigh((FEW[0], MANY), many)
    predicted = json.loads(pathlib.Path(plan).read_text())["memory"]["resident_bytes"]
    points = json.loads(pathlib.Path(many).read_text())["results"][0]["points"]
    measured = next(point["rss_bytes"] for point in points if point["n"] == MANY)
    print(f"{MANY} connections: predicted {predicted:.0f} bytes, measured {measured}")
    if abs(predicted - measured) > WITHIN * measured:
        sys.exit("the prediction is off by more than a tenth")
