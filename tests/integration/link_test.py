"""A node loses its cables for a while: argument "both" networks, or only the "data" path.

It goes on alone, as the others do; when the cables are back all merge, and deliver the same again.

Argument "proof": the switch end of its data cable goes dead, and silence alone convicts nobody. The
node notices, says so over the management network, and both sides go on at once.
"""

import re
import sys
import time

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, wait_until


def test():
    wires = {"both": ("data", "mgmt"), "data": ("data",)}[sys.argv[1]]
    cluster = Cluster(nodes=3)
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}") for n in cluster.nodes]
    for stream in streams:
        stream.more()

    cluster.network.link(2, "down", wires)
    for node in cluster.nodes:
        wait_until(f"n{node} misses a node", lambda n=node: cluster.is_degraded(n))
    for stream in streams:
        stream.more()
    cluster.network.link(2, "up", wires)
    cluster.wait_whole()
    for stream in streams:
        stream.finish()
    after = cluster.publish(2, "words", numbered("after", 500))
    after.finish()

    for subscriber in subscribers:
        subscriber.wait_for(after.sent[-1])
        check.no_duplicates(subscriber)
        check.complete(subscriber, after)
    check.same([subscribers[0], subscribers[2]], lambda s: s.lines_from("ready-000000"))
    check.complete(subscribers[1], streams[1])  # Alone or not, it delivers what it accepted (G3).
    check.same(subscribers, lambda s: s.lines_from(after.sent[0]))


def test_proof():
    cluster = Cluster(nodes=3, start=False)
    text = cluster.config.read_text(encoding="utf-8")
    for key in ("dead_after", "stall_after"):
        text = re.sub(f'{key} = "[0-9]+ms"', f'{key} = "10s"', text)
    cluster.config.write_text(text, encoding="utf-8")
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()

    began = time.monotonic()
    cluster.network.port(2, "down")
    for node in cluster.nodes:
        wait_until(f"n{node} misses a node", lambda n=node: cluster.is_degraded(n))
    took = time.monotonic() - began
    assert took < 4, f"it took {took:.1f} s: silence told it, not the node"

    cluster.network.port(2, "up")
    cluster.wait_whole()


sandbox.run(test_proof if sys.argv[1] == "proof" else test, limit_s=90)
