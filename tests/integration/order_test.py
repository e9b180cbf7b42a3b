"""Three publishers at once, on three nodes: every subscriber prints the very same lines."""

import sys

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import SLOW, Cluster


def test():
    cluster = Cluster(nodes=3, ipv6="ipv6" in sys.argv)
    subscribers = cluster.subscribe_all("words")

    publishers = [cluster.publish(n, "words", numbered(f"pub{n}", 20000 // SLOW))
                  for n in cluster.nodes]
    for publisher in publishers:
        publisher.finish()

    for subscriber in subscribers:
        for publisher in publishers:
            subscriber.wait_for(publisher.sent[-1])
        check.complete(subscriber, *publishers)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))


sandbox.run(test)
