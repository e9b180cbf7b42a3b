"""Eight nodes: all deliver the same, also while one of them dies and comes back."""

import signal

from harness import check, sandbox
from harness.audit import Audit
from harness.cluster import Cluster, wait_until


def test():
    cluster = Cluster(nodes=8)
    subscribers = cluster.subscribe_all("words")
    audit = Audit(cluster)
    streams = [cluster.stream(n, "words", f"pub{n}", lines_per_s=200) for n in (1, 4, 8)]
    for stream in streams:
        stream.more(100)

    old = cluster.signal_dataplane(5, signal.SIGKILL)
    wait_until("a data plane is started again",
               lambda: cluster.dataplane_pid(5) not in (0, old))
    cluster.wait_whole()
    for stream in streams:
        stream.more(100)
        stream.finish()
    cluster.publish(2, "words", ["last-000000"]).finish()

    for subscriber in subscribers:
        subscriber.wait_for("last-000000")
        check.no_duplicates(subscriber)
    others = [s for n, s in zip(cluster.nodes, subscribers) if n != 5]
    check.complete(others[0], *streams)
    check.same(others, lambda s: s.lines_from("ready-000000"))
    check.in_order_of(subscribers[4], others[0], gaps_most=1)
    audit.check("words", expected=len(subscribers))


sandbox.run(test, limit_s=100)
