"""Every node loses one received packet in fifty, and nothing is missing."""

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import SLOW, Cluster


def test():
    cluster = Cluster(nodes=3)
    subscribers = cluster.subscribe_all("words")
    for node in cluster.nodes:
        cluster.network.lose(node, percent=2)

    publishers = [cluster.publish(n, "words", numbered(f"pub{n}", 10000 // SLOW))
                  for n in cluster.nodes]
    for publisher in publishers:
        publisher.finish()

    for subscriber in subscribers:
        for publisher in publishers:
            subscriber.wait_for(publisher.sent[-1])
        check.complete(subscriber, *publishers)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))


sandbox.run(test)
