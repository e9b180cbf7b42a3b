"""Four nodes fall into two halves and meet again.

Both halves go on with views of their own; who goes from view to view together delivers the same
(on a busy host a half may come together one by one); after the merge all four do.
"""

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster


def test():
    cluster = Cluster(nodes=4)
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}", lines_per_s=500) for n in cluster.nodes]
    for stream in streams:
        stream.more(100)

    cluster.network.split((1, 2), (3, 4))
    cluster.wait_degraded(cluster.nodes)
    for stream in streams:
        stream.more(100)
    cluster.network.heal()
    cluster.wait_whole()
    for stream in streams:
        stream.finish()
    after = cluster.publish(4, "words", numbered("after", 500))
    after.finish()

    for node, subscriber in zip(cluster.nodes, subscribers):
        subscriber.wait_for(after.sent[-1])
        check.no_duplicates(subscriber)
        check.complete(subscriber, streams[node - 1], after)
    check.within_views(subscribers)
    check.same(subscribers, lambda s: s.lines_from(after.sent[0]))


sandbox.run(test, limit_s=90)
