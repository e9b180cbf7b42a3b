"""Which clusters are compared in which shapes, in rounds, and what is best."""

import json
import os
import statistics
import subprocess
import sys
import time

from . import measure
from .clusters import Corosync, Failed, Ours

MANY = 8
# libcpg cuts what is over 1,047,552 bytes, waits between the pieces, and gives up under load.
LARGE = 1_000_000
LOSS = "1 % of the packets lost: "  # Only where packets cross a wire.
SAFE = "own delivery, safe, 64 B"  # Corosync has no safe messages.
# Corosync's default detection takes 8 s; this is the fastest that stands still under load here.
FAST_TOTEM = " token: 300\n token_coefficient: 0\n consensus: 360\n"


def contestants(build, nodes, quick):
    """(name, how to start it): one of each family and security at least."""
    out = [("phalanx shm", lambda: Ours(build, "shm", True, nodes)),
           ("phalanx dpdk", lambda: Ours(build, "dpdk", True, nodes)),
           ("phalanx udp", lambda: Ours(build, "udp", True, nodes)),
           ("corosync knet aes256", lambda: Corosync(build, "knet", True, nodes)),
           ("corosync knet open", lambda: Corosync(build, "knet", False, nodes)),
           ("corosync udp open", lambda: Corosync(build, "udp", False, nodes)),
           ("corosync knet aes256, sched_rr",
            lambda: Corosync(build, "knet", True, nodes, realtime=True)),
           ("corosync knet open, sched_rr",
            lambda: Corosync(build, "knet", False, nodes, realtime=True))]
    if quick:
        return out
    return out + [
        ("phalanx ethernet", lambda: Ours(build, "ethernet", True, nodes)),
        ("phalanx shm open", lambda: Ours(build, "shm", False, nodes)),
        ("phalanx dpdk open", lambda: Ours(build, "dpdk", False, nodes)),
        ("phalanx udp open", lambda: Ours(build, "udp", False, nodes)),
        ("corosync udp open, sched_rr",
         lambda: Corosync(build, "udp", False, nodes, realtime=True)),
        ("corosync knet aes256, token 300",
         lambda: Corosync(build, "knet", True, nodes, totem=FAST_TOTEM))]


def shapes(options):
    """(name, figure shown, its unit, whether more is better, the measurement)."""
    s, everyone = options.seconds, list(range(1, options.nodes + 1))

    def flood(size, senders):
        return lambda cluster: measure.rate(cluster, size, senders, s)

    last = options.nodes
    # A node that sends most is handed the ordering: what is told of the first orderer comes first.
    out = [("own delivery, 64 B", "p50_us", "us", False, lambda c: measure.latency(c, 64, 1, s)),
           ("round trip through another node, 64 B", "p50_us", "us", False,
            lambda c: measure.latency(c, 64, 1, s, "trip"))]
    if not options.quick:
        out += [(SAFE, "p50_us", "us", False, lambda c: measure.latency(c, 64, 1, s, "safe")),
                ("own delivery away from the orderer, 64 B", "p50_us", "us", False,
                 lambda c: measure.latency(c, 64, last, s))]
    sizes = (64, 1400, 65536) if options.quick else (64, 256, 1400, 8192, 65536, LARGE)
    out += [(f"{size} B, 1 sender", "msgs_per_s", "msg/s", True, flood(size, [1]))
            for size in sizes]
    out.append((f"64 B, {options.nodes} senders", "msgs_per_s", "msg/s", True, flood(64, everyone)))
    if not options.quick:
        # Also what the hand-over is worth.
        out += [(f"{size} B, 1 sender away from the first orderer", "msgs_per_s", "msg/s", True,
                 flood(size, [last])) for size in (64, 1400, 8192, 65536, LARGE)]
        out.append((f"1400 B, {options.nodes} senders", "msgs_per_s", "msg/s", True,
                    flood(1400, everyone)))
        out += [
            (f"{LOSS}64 B, 1 sender, share of the rate without loss", "of_lossless_percent", "%",
             True, lambda c: measure.rate_with_loss(c, 64, [1], s, 1)),
            (f"{LOSS}round trip, 64 B, p99", "p99_us", "us", False,
             lambda c: measure.latency_with_loss(c, 64, 1, s, 1, "trip"))]
    out.append(("idle, of a core a node", "core_percent", "%", False,
                lambda c: measure.idle(c, 2 * s)))
    out.append(("a node's data path dies: new view", "view_ms", "ms", False, measure.failover))
    return out


def shapes_of_many(options):
    """Those of eight nodes, which share two cores with their clients on a small host."""
    s, everyone = options.seconds, list(range(1, MANY + 1))
    named = f"{MANY} nodes: "
    return [(f"{named}own delivery, 64 B", "p50_us", "us", False,
             lambda c: measure.latency(c, 64, 1, s)),
            (f"{named}round trip through another node, 64 B", "p50_us", "us", False,
             lambda c: measure.latency(c, 64, 1, s, "trip"))] + [
        (f"{named}{size} B, all send", "msgs_per_s", "msg/s", True,
         lambda c, size=size: measure.rate(c, size, everyone, s)) for size in (64, 1400)]


def run(build, options):
    results = {"machine": environment(build), "rounds": options.rounds, "seconds": options.seconds,
               "nodes": options.nodes, "command": " ".join(sys.argv), "failures": [],
               "clusters": {}, "shapes": []}
    stages = [(contestants(build, options.nodes, options.quick), shapes(options))]
    if not options.quick and options.nodes != MANY:
        stages.append((contestants(build, MANY, False), shapes_of_many(options)))
    table = [shape for _, work in stages for shape in work]
    results["shapes"] = [{"name": n, "figure": f, "unit": u, "more": m} for n, f, u, m, _ in table]
    try:
        for number in range(options.rounds):
            for entrants, work in stages:
                for name, start in entrants:
                    begun = time.monotonic()
                    print(f"round {number + 1} of {options.rounds}: {name} ", end="", flush=True)
                    one_round(results, name, start, work, options.pin)
                    print(f" {time.monotonic() - begun:.0f} s", flush=True)
    except KeyboardInterrupt:
        results["failures"].append("interrupted: here is what was measured until then")
        print(" interrupted", flush=True)
    for cluster in results["clusters"].values():
        cluster["median"] = {shape: median_of(runs) for shape, runs in cluster["runs"].items()
                             if runs}
    results["load_at_end"] = os.getloadavg()[0]
    return results


def one_round(results, name, start, table, pin):
    try:
        cluster = start()
    except Failed:  # Once more: on a busy host a start may fail.
        try:
            cluster = start()
        except Failed as failed:
            results["failures"].append(f"{name}: {failed}")
            return
    entry = results["clusters"].setdefault(
        name, {"family": cluster.family, "secure": cluster.secure, "runs": {},
               "command": cluster.command})
    try:
        if pin:
            cluster.pin()
        for shape, _, _, _, work in table:
            if shape == SAFE and cluster.family != "phalanx":
                continue
            if shape.startswith(LOSS) and cluster.bridge() is None:
                continue
            try:
                found = work(cluster)
                entry["runs"].setdefault(shape, []).append(found)
                print(".", end="", flush=True)
            except Failed as failed:
                results["failures"].append(f"{name}, {shape}: {failed}")
                print("!", end="", flush=True)
    finally:
        cluster.stop()


def median_of(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def environment(build):
    """What `phalanx-perf environment` tells, and corosync's version."""
    host = subprocess.run([build / "perf/phalanx-perf", "--json", "environment"], text=True,
                          capture_output=True, check=True).stdout
    package = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "corosync"], text=True,
                             capture_output=True, check=False).stdout
    return json.loads(host) | {"corosync": package}
