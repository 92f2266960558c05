"""More clients than the budget admits, and clients that never finish a request head."""

import asyncio
import concurrent.futures
import http.client
import time

from harness import Service, Skipped, check, raise_descriptor_limit
from load import flooding, patient_clients, watched


def flood(program, folder, connections=3000, seconds=8):
    """Ten times what the budget admits at once: 32 MiB minus 12 MiB for the program suffice for 160 requests."""
    if raise_descriptor_limit() < 2 * connections + 200:
        raise Skipped("too few descriptors for the connections")
    budget = 32 << 20
    with Service(program, "--seed", "--budget", "32M", folder=folder) as service:
        service.wait_for(200)
        counts = dict.fromkeys(("answered", "refused", "ended", "wrong", "silent", "not connected"), 0)

        async def all_of_them():
            until = time.monotonic() + seconds
            await asyncio.gather(*(flooding(service.port, i, until, counts) for i in range(connections)))

        with watched(service) as most:
            asyncio.run(all_of_them())
        began = time.monotonic()
        service.wait_for(200, seconds=5)
        recovered = time.monotonic() - began
        print(f"{connections} connections for {seconds} s: {counts}; at most {most[0] / 2**20:.1f} MiB of "
              f"{budget / 2**20:.0f}, normal after {recovered:.3f} s")
        check(counts["answered"] > 1000, "hardly any request was served")
        check(counts["wrong"] == 0, f"wrong answers: {counts}")
        check(counts["silent"] == 0, "some requests got no response")
        check(most[0] <= budget, f"it took {most[0]} bytes")


def slow_loris(program, folder, connections=1000, seconds=1):
    """The timeout ends endless heads, while other requests are served. `seconds`: to measure how fast they are."""
    if raise_descriptor_limit() < connections + 200:
        raise Skipped("too few descriptors for the connections")
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)

        def p99(seconds):
            times, until = [], time.monotonic() + seconds
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
            while time.monotonic() < until:
                began = time.monotonic()
                connection.request("GET", "/items/1")
                check(connection.getresponse().read() != b"", "no answer")
                times.append(time.monotonic() - began)
            connection.close()
            return sorted(times)[int(len(times) * 0.99)]

        calm = p99(seconds)
        # In a separate process, because Python's threads take turns.
        with concurrent.futures.ProcessPoolExecutor(1) as attackers:
            attack = attackers.submit(patient_clients, service.port, connections)
            time.sleep(1)
            under_attack = p99(seconds)
            ended = attack.result()
        print(f"{connections} slow clients: {ended} ended by the server; 99 % of the others' requests took less than "
              f"{under_attack * 1000:.2f} ms, {calm * 1000:.2f} ms without attack: {under_attack / calm:.1f} times")
        check(ended == connections, f"{ended} of {connections} were ended")


CASES = {
    "flood": flood,
    "flood-full": lambda program, folder: flood(program, folder, connections=9000, seconds=60),
    "slow-loris": slow_loris,
    "slow-loris-full": lambda program, folder: slow_loris(program, folder, connections=9000, seconds=5),
}
