#!/usr/bin/env python3
"""Runs several services behind HAProxy, all on one database.

    scale_out.py --service build/release/bin/service --db postgresql://user@host/name --processes 4 \
        --listen 127.0.0.1:8080

SIGHUP restarts the services one after the other without losing a request. SIGTERM ends everything. A service that ends
by itself is started again.
"""

import argparse
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CHECK_INTERVAL = 0.2  # seconds between HAProxy's checks of a service's /healthz
# After SIGTERM a service keeps serving this long while /healthz returns 503, so that HAProxy certainly notices.
GRACE = 5 * CHECK_INTERVAL
READY_WITHIN = 30
DRAINED_WITHIN = 30


class Service:
    def __init__(self, asked, port):
        self.command = [asked.service, "--listen", f"127.0.0.1:{port}", "--db", asked.db, "--budget", asked.budget,
                        "--grace", str(GRACE)]
        self.port = port
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)

    def is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def wait_until_ready(self):
        give_up = time.monotonic() + READY_WITHIN
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the service on port {self.port} ended with status {self.process.returncode}")
            if time.monotonic() > give_up:
                raise RuntimeError(f"the service on port {self.port} is not ready after {READY_WITHIN} s")
            time.sleep(0.05)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(DRAINED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def restart(self):
        self.stop()
        self.start()
        self.wait_until_ready()
        time.sleep(2 * CHECK_INTERVAL)  # until HAProxy has noticed too, before the next service restarts


def configuration(asked, services):
    servers = "\n".join(f"    server service{i} 127.0.0.1:{s.port}" for i, s in enumerate(services, 1))
    text = pathlib.Path(__file__).with_name("haproxy.cfg.in").read_text()
    for name, value in {"max_connections": str(asked.max_connections), "listen": asked.listen, "metrics": asked.metrics,
                        "check_interval": f"{int(CHECK_INTERVAL * 1000)}ms", "servers": servers}.items():
        text = text.replace("{" + name + "}", value)
    return text


class Stop(Exception):
    pass


def supervise(asked, services, proxy):
    restart = False

    def on_hangup(*_):
        nonlocal restart
        restart = True

    def on_stop(*_):
        raise Stop

    signal.signal(signal.SIGHUP, on_hangup)
    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    print(f"ready: http://{asked.listen}, {len(services)} services on ports "
          f"{services[0].port} to {services[-1].port}", flush=True)
    while True:
        if proxy.poll() is not None:
            raise RuntimeError(f"HAProxy ended with status {proxy.returncode}")
        for service in services:
            if service.process.poll() is not None:
                print(f"the service on port {service.port} ended with status {service.process.returncode}; "
                      "starting it again", file=sys.stderr, flush=True)
                service.start()
        if restart:
            restart = False
            for service in services:
                service.restart()
            print("restarted", flush=True)
        time.sleep(0.2)


def parse():
    parser = argparse.ArgumentParser(description="Runs several services behind HAProxy, all on one database.")
    parser.add_argument("--service", required=True, help="the program, build/release/bin/service")
    parser.add_argument("--db", required=True, help="the shared database: postgresql://USER@HOST/NAME")
    parser.add_argument("--processes", type=int, default=2, help="number of services (default 2)")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="where HAProxy listens (default 127.0.0.1:8080)")
    parser.add_argument("--metrics", default="127.0.0.1:8404", help="address of HAProxy's own metrics")
    parser.add_argument("--first-port", type=int, default=18080,
                        help="the first port that the services listen on (default 18080)")
    parser.add_argument("--budget", default="512M", help="memory of each service (default 512M)")
    parser.add_argument("--max-connections", type=int, default=4000, help="of clients (default 4000)")
    asked = parser.parse_args()
    if asked.processes < 1:
        parser.error("--processes must be at least 1")
    if not asked.db.startswith("postgres"):
        parser.error("--db must be a PostgreSQL database: an SQLite file or memory cannot be shared by several "
                     "machines")
    if not os.access(asked.service, os.X_OK):
        parser.error(f"--service: '{asked.service}' is not a program")
    return asked


def main():
    asked = parse()
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        sys.exit("scale_out.py: HAProxy is not installed: apt-get install haproxy")
    services = [Service(asked, asked.first_port + i) for i in range(asked.processes)]
    proxy = None
    with tempfile.TemporaryDirectory(prefix="tare-scale-out-") as folder:
        written = pathlib.Path(folder, "haproxy.cfg")
        written.write_text(configuration(asked, services))
        try:
            for service in services:
                service.start()
            for service in services:
                service.wait_until_ready()
            proxy = subprocess.Popen([haproxy, "-db", "-q", "-f", str(written)])
            supervise(asked, services, proxy)
        except Stop:
            pass
        except RuntimeError as why:
            sys.exit(f"scale_out.py: {why}")
        finally:
            if proxy is not None and proxy.poll() is None:
                proxy.terminate()
                proxy.wait()
            for service in services:
                service.stop()


main()
