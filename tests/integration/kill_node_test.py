"""Both processes of a node die at once: nobody is left to tell, so silence must be enough.

It is started again later, finds its own old view sequence on disk, and joins as a new member.
"""

import signal

from harness import check, sandbox
from harness.cluster import Cluster, wait_until


def test():
    cluster = Cluster(nodes=3)
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}") for n in (2, 3)]
    for stream in streams:
        stream.more()

    cluster.signal_controlplane(1, signal.SIGKILL)  # Node 1 orders the lane and leads attempts.
    cluster.signal_dataplane(1, signal.SIGKILL)
    cluster.wait_degraded((2, 3))
    for stream in streams:
        stream.more()
    cluster.start(1)
    cluster.wait_whole()
    for stream in streams:
        stream.more()
        stream.finish()
    cluster.publish(1, "words", ["last-000000"]).finish()

    for subscriber in subscribers:
        subscriber.wait_for("last-000000")
        check.no_duplicates(subscriber)
    check.complete(subscribers[1], *streams)
    check.same(subscribers[1:], lambda s: s.lines_from("ready-000000"))
    assert subscribers[0].messages()[-100:] == subscribers[1].messages()[-100:]
    wait_until("views agree", lambda: len({str(cluster.status(n)["view"]) for n in (1, 2, 3)}) == 1)


sandbox.run(test)
