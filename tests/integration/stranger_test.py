"""What does not belong to the cluster stays out and changes nothing.

A node with another key, one whose cluster part of the configuration differs, one of another
protocol version, and datagrams of rubbish, all at once, beside two nodes that go on. Both sides of
what differs are told: in the status with a count, in the log once.
"""

import random
import signal
import subprocess
import sys

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, program, wait_until

RUBBISH = """
import random, socket, sys
draw = random.Random(1)
for host in sys.argv[1:]:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(3000):
        out.sendto(draw.randbytes(draw.randrange(0, 1400)), (host, 5405 + i % 2))
"""

# A node of a later version: its datagrams begin as ours do.
LATER = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind((sys.argv[1], 5406))
for host in sys.argv[2:]:
    for i in range(20):
        out.sendto(bytes([0xA8, 9]) + bytes(86), (host, 5406))
"""


def test():
    cluster = Cluster(nodes=5, start=False)
    other_key = cluster.directory / "other.key"
    subprocess.run([program("phalanx"), "key", "generate", str(other_key)], check=True,
                   stdout=subprocess.DEVNULL)
    foreign = cluster.directory / "foreign.toml"
    foreign.write_text(cluster.config_text(key=other_key))
    differs = cluster.directory / "differs.toml"
    differs.write_text(cluster.config_text().replace('name = "test"', 'name = "tset"'))
    cluster.start(1)
    cluster.start(2)
    together = [1, 2]
    for node in together:
        wait_until(f"n{node} sees the other", lambda n=node: len(members(cluster, n)) == 2)
    subscribers = cluster.subscribe_all("words", nodes=together)
    views = [members(cluster, n) for n in together]

    cluster.start(3, foreign)
    cluster.start(4, differs)
    hosts = [cluster.network.host(n) for n in together]
    subprocess.run(["nsenter", "--net=/run/netns/n3", sys.executable, "-c", RUBBISH, *hosts],
                   check=True, timeout=30)
    subprocess.run(["nsenter", "--net=/run/netns/n5", sys.executable, "-c", LATER,
                    cluster.network.host(5, "mgmt"),
                    *(cluster.network.host(n, "mgmt") for n in together)], check=True, timeout=30)
    publishers = [cluster.publish(n, "words", numbered(f"pub{n}", 5000)) for n in together]
    for publisher in publishers:
        publisher.finish()

    for subscriber in subscribers:
        for publisher in publishers:
            subscriber.wait_for(publisher.sent[-1])
        check.complete(subscriber, *publishers)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))
    assert views == [members(cluster, n) for n in together], "the view changed"
    for node in together:
        wait_until("all three are told", lambda n=node: len(rejections(cluster, n)) == 3)
        told = rejections(cluster, node)
        assert {n: r["reason"] for n, r in told.items()} == {
            3: "cluster_key", 4: "config_hash", 5: "protocol_version"}, told
        assert all(r["count"] > 0 and r["mine"] != r["theirs"] for r in told.values()), told
        assert (told[5]["theirs"], told[5]["mine"]) == (9, 1), told
        log = (cluster.directory / f"n{node}.log").read_text()
        for stranger in told:
            assert log.count(f"peer kept out node={stranger} ") == 1, log


def rejections(cluster, node):
    return {r["node"]: r for r in cluster.status(node)["rejections"]}


def members(cluster, node):
    return (cluster.status(node).get("view") or {}).get("members", [])


sandbox.run(test)
