#!/usr/bin/env python3
"""Measures the processor time that a request takes in a server, and the latency of the slowest requests under load.

    python3 bench/requests/figures.py [--only NAME,...] [--runs 3] [--seconds 3] [build/release]

Each server of bench/servers.toml runs on the first processor, its client on the second: 64 connections send requests as
fast as they get responses, and then at 70 % of the rate that the server reached. The runs of all servers take turns.
Prints the medians as a table, lowest time first. Servers that are not built or not installed are omitted, and named.
"""

import argparse
import json
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_there(peer):
    """Whether its version can be printed, which needs everything that running it needs."""
    if "version" not in peer:
        return (ROOT / peer["run"][0]).exists()
    try:
        return subprocess.run(peer["version"], cwd=ROOT, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


class Server:
    """A server for the duration of one run."""

    def __init__(self, peer):
        self.port = free_port()
        words = [word.replace("{port}", str(self.port)) for word in peer["run"]]
        self.process = subprocess.Popen(["taskset", "-c", "0", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        sys.exit(f"{words[0]} does not listen on port {self.port}")

    def worker(self):
        """The process that serves; if the server has a master process, it is a child of that."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[-1]) if children else pid

    def load(self, tare, seconds, rate=0):
        words = ["taskset", "-c", "1", tare, "hold", "--load", "--connections", "64", "--seconds", str(seconds),
                 "--pid", str(self.worker()), "--json", "-", "--rate", str(rate), f"http://127.0.0.1:{self.port}/"]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            self.stop()
            sys.exit(done.stderr)
        return json.loads(done.stdout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="only these servers, by their names in bench/servers.toml")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="of each load")
    parser.add_argument("build", nargs="?", default="build/release", help="where bin/tare is")
    asked = parser.parse_args()

    tare = str(ROOT / asked.build / "bin/tare")
    peers = tomllib.loads((ROOT / "bench/servers.toml").read_text())["peer"]
    if asked.only:
        names = asked.only.split(",")
        unknown = set(names) - {peer["name"] for peer in peers}
        if unknown:
            sys.exit(f"bench/servers.toml has no {', '.join(sorted(unknown))}")
        peers = [peer for peer in peers if peer["name"] in names]
    there = [peer for peer in peers if is_there(peer)]
    for peer in peers:
        if peer not in there:
            print(f"{peer['name']}: not available; ./setup --peers, then tare weigh --connections --peers "
                  "bench/servers.toml builds it", file=sys.stderr)

    cpu, rates, slow = {}, {}, {}
    for _ in range(asked.runs):
        for peer in there:
            server = Server(peer)
            full = server.load(tare, asked.seconds)
            eased = server.load(tare, asked.seconds, rate=0.7 * full["requests_per_second"])
            server.stop()
            title = peer.get("title", peer["name"])
            cpu.setdefault(title, []).append(full["server_cpu_seconds_per_request"] * 1e6)
            rates.setdefault(title, []).append(full["requests_per_second"])
            slow.setdefault(title, []).append(eased["latency_seconds"]["99"] * 1e3)

    print("| server | µs of CPU per request | requests/s | 99 % at 70 % load within |")
    print("|---|---:|---:|---:|")
    for title in sorted(cpu, key=lambda title: statistics.median(cpu[title])):
        print(f"| {title} | {statistics.median(cpu[title]):.1f} | {statistics.median(rates[title]):,.0f} "
              f"| {statistics.median(slow[title]):.2f} ms |")


main()
