"""/debug/tasks: where the service's coroutines are suspended, and what the first request for it costs."""

import json
import os
import pathlib
import socket
import time

from harness import Service, check
from inside import frames_from_outside, has_await_table


def lines_agree(program, service, waiting):
    """/debug/tasks and `tare live` see each idle connection at the await that waits for it to become readable."""
    places = {(g["function"].split("(")[0], g["file"], g["line"]) for g in waiting}
    check(len(places) == 1 and all(g["at_await"] for g in waiting), waiting)
    (function, file, line), = places
    if os.path.exists(file):
        source = pathlib.Path(file).read_text().splitlines()
        check("co_await" in source[line - 1] and "readable" in source[line - 1], f"{file}:{line}: {source[line - 1]}")
    outside = frames_from_outside(program, service.process.pid)
    if outside is not None:
        count = sum(g["count"] for g in waiting)
        check(outside.get((function, file, line)) == count, (places, waiting, outside))
        # No connection is anywhere else.
        check(sum(c for (name, *_), c in outside.items() if name == function) == count, outside)


def debug_tasks(program, folder):
    """What the coroutines wait for: each connection appears once, where it waits for its next request."""
    connections = 40
    with_lines = has_await_table(program)
    with Service(program, "--seed", "--shards", "2", folder=folder) as service:
        service.wait_for(200)
        idle = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(connections)]

        def look():
            status, headers, body = service.ask("GET", "/debug/tasks", timeout=60)
            check(status == 200 and headers["content-type"] == "application/json", (status, headers))
            return json.loads(body)

        def waiting(seen):
            return [g for g in seen["groups"]
                    if "serve_connection" in g["function"] and g["waiting_for"] == "descriptor"]

        deadline = time.monotonic() + 20
        seen = look()
        while sum(g["count"] for g in waiting(seen)) != connections and time.monotonic() < deadline:
            time.sleep(0.2)  # the last result is returned for up to a second
            seen = look()
        check(sum(g["count"] for g in waiting(seen)) == connections, seen)
        check(seen["schema"] == 1 and seen["ungrouped"] == 0, seen)
        if with_lines:
            check(seen["notes"] == [], seen["notes"])
            lines_agree(program, service, waiting(seen))
        else:
            check(len(seen["notes"]) == 1 and ": no await table" in seen["notes"][0], seen["notes"])
            check(not any(g["at_await"] for g in seen["groups"]), seen)
        for group in seen["groups"]:
            check(group["total_bytes"] == group["count"] * group["frame_bytes"], group)
            has_place = group["line"] > 0 and group["file"][-4:] in (".cpp", ".hpp")
            check(group["waiting_for"] in ("end", "unknown") or has_place, group)
        totals = [g["total_bytes"] for g in seen["groups"]]
        check(totals == sorted(totals, reverse=True), "not the heaviest first")
        heaps = seen["shards"] + [seen["outside"]]
        check([s["shard"] for s in seen["shards"]] == [0, 1], seen["shards"])
        check(sum(totals) == seen["frame_bytes"] == sum(h["frame_bytes"] for h in heaps), "the bytes do not add up")
        frames = sum(g["count"] for g in seen["groups"])
        check(frames == seen["frames"] == sum(h["frames"] for h in heaps), "the frames do not add up")
        for heap in heaps:
            check(heap["frame_bytes"] <= heap["live_bytes"] <= heap["held_bytes"] and heap["pauses"] >= 1, heap)
            check(0 < heap["longest_pause_microseconds"] <= seen["longest_pause_microseconds"], heap)

        metrics = service.ask("GET", "/metrics")[2].decode()
        for line in ('tare_suspended_frames{waiting_for="descriptor"} ', 'tare_shard_frames{shard="1"} ',
                     'tare_shard_frame_bytes{shard="outside"} ', "tare_snapshot_longest_pause_seconds "):
            check(line in metrics, f"{line} is not in {metrics}")
        for each in idle:
            each.close()
        deadline = time.monotonic() + 20
        while waiting(look()) and time.monotonic() < deadline:
            time.sleep(0.2)
        check(not waiting(look()), "the connections have ended, but not their frames")


def first_look(program, folder):
    """What the first /debug/tasks costs, which reads what later ones reuse: little with an await table."""
    with_table = has_await_table(program)
    with Service(program, "--seed", folder=folder) as service:
        service.wait_for(200)
        service.ask("GET", "/metrics")
        pathlib.Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # the peak counts from here
        before = service.resident()
        began = time.monotonic()
        status, _, body = service.ask("GET", "/debug/tasks", timeout=60)
        took = time.monotonic() - began
        check(status == 200, body)
        above = service.resident("VmHWM") - before
        time.sleep(1)
        print(f"{'with' if with_table else 'without'} an await table: {took * 1000:.0f} ms, {above / 1e6:.1f} MB "
              f"resident meanwhile, {(service.resident() - before) / 1e6:.1f} MB after it")
        check(not with_table or above < 2e6, f"{above} bytes more resident")


CASES = {
    "debug-tasks": debug_tasks,
    "first-look": first_look,
}
