"""Which clusters are compared in which shapes, in rounds, and what is best."""

import os
import platform
import statistics
import subprocess
import sys
import time

from . import measure
from .clusters import Corosync, Failed, Ours

# Corosync's default detection takes 8 s; this is the fastest that stands still under load here.
FAST_TOTEM = " token: 300\n token_coefficient: 0\n consensus: 360\n"


def contestants(build, nodes, quick):
    """(name, how to start it): one of each family and security at least."""
    out = [("phalanx dpdk", lambda: Ours(build, "dpdk", True, nodes)),
           ("phalanx udp", lambda: Ours(build, "udp", True, nodes)),
           ("corosync knet aes256", lambda: Corosync(build, "knet", True, nodes)),
           ("corosync knet open", lambda: Corosync(build, "knet", False, nodes)),
           ("corosync udp open", lambda: Corosync(build, "udp", False, nodes))]
    if quick:
        return out
    return out + [
        ("phalanx ethernet", lambda: Ours(build, "ethernet", True, nodes)),
        ("phalanx dpdk open", lambda: Ours(build, "dpdk", False, nodes)),
        ("corosync knet aes256, sched_rr",
         lambda: Corosync(build, "knet", True, nodes, realtime=True)),
        ("corosync knet open, sched_rr",
         lambda: Corosync(build, "knet", False, nodes, realtime=True)),
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
    sizes = (64, 1400, 65536) if options.quick else (64, 256, 1400, 8192, 65536, 1000000)
    out = [(f"{size} B, 1 sender", "msgs_per_s", "msg/s", True, flood(size, [1]))
           for size in sizes]
    out.append((f"64 B, {options.nodes} senders", "msgs_per_s", "msg/s", True, flood(64, everyone)))
    if not options.quick:
        out.append(("64 B, 1 sender away from the orderer", "msgs_per_s", "msg/s", True,
                    flood(64, [last])))
        out.append((f"1400 B, {options.nodes} senders", "msgs_per_s", "msg/s", True,
                    flood(1400, everyone)))
    out.append(("own delivery, 64 B", "p50_us", "us", False,
                lambda c: measure.latency(c, 64, 1, s)))
    if not options.quick:
        out.append(("own delivery away from the orderer, 64 B", "p50_us", "us", False,
                    lambda c: measure.latency(c, 64, last, s)))
    out.append(("idle, of a core a node", "core_percent", "%", False,
                lambda c: measure.idle(c, 2 * s)))
    out.append(("a node's data path dies: new view", "view_ms", "ms", False, measure.failover))
    return out


def run(build, options):
    results = {"machine": environment(), "rounds": options.rounds, "seconds": options.seconds,
               "nodes": options.nodes, "command": " ".join(sys.argv), "failures": [],
               "clusters": {}, "shapes": []}
    table = shapes(options)
    results["shapes"] = [{"name": n, "figure": f, "unit": u, "more": m} for n, f, u, m, _ in table]
    for number in range(options.rounds):
        for name, start in contestants(build, options.nodes, options.quick):
            begun = time.monotonic()
            print(f"round {number + 1} of {options.rounds}: {name} ", end="", flush=True)
            one_round(results, name, start, table)
            print(f"{time.monotonic() - begun:.0f} s", flush=True)
    for cluster in results["clusters"].values():
        cluster["median"] = {shape: median_of(runs) for shape, runs in cluster["runs"].items()
                             if runs}
    return results


def one_round(results, name, start, table):
    try:
        cluster = start()
    except Failed as failed:
        results["failures"].append(f"{name}: {failed}")
        return
    entry = results["clusters"].setdefault(
        name, {"family": cluster.family, "secure": cluster.secure, "runs": {}})
    try:
        for shape, _, _, _, work in table:
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


def environment():
    def first(path, key):
        with open(path, encoding="utf-8") as file:
            found = [line.split(":", 1)[1].strip() for line in file if line.startswith(key)]
        return found[0] if found else ""

    package = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "corosync"], text=True,
                             capture_output=True, check=False).stdout
    return {"processor": first("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory": first("/proc/meminfo", "MemTotal"), "kernel": platform.release(),
            "corosync": package, "load": os.getloadavg()[0],
            "when": time.strftime("%Y-%m-%d %H:%M")}
