"""A control plane dies at the very moment when a new view is to be agreed on.

The attempt waits in the data plane's memory; the control plane that comes back goes on with it, and
every node ends in one view without the node that was lost.
"""

import signal

from harness import check, sandbox
from harness.cluster import Cluster, wait_until


def test():
    # A node is left out that does not answer within the deadline of a step, at least dead_after: on
    # a loaded host a control plane takes 100 ms to be started. n4's death is told by its obituary.
    cluster = Cluster(nodes=4, dead_after_ms=500)
    subscribers = cluster.subscribe_all("words", nodes=[1, 2, 3])
    streams = [cluster.stream(n, "words", f"pub{n}") for n in (1, 2, 3)]
    for stream in streams:
        stream.more()
    for stream in streams:  # Its program has attached, as it could not without a control plane.
        subscribers[0].wait_for(stream.sent[0])

    for node in (2, 1):  # 1 leads the attempt, 2 follows.
        old = cluster.signal_dataplane(4, signal.SIGKILL)
        cluster.signal_controlplane(node, signal.SIGKILL)
        cluster.start(node)
        wait_until("n4 is back", lambda before=old: cluster.dataplane_pid(4) not in (0, before))
        cluster.wait_whole()
    for stream in streams:
        stream.more()
        stream.finish()
    cluster.publish(1, "words", ["last-000000"]).finish()

    for subscriber in subscribers:
        subscriber.wait_for("last-000000")
        check.complete(subscriber, *streams)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))


sandbox.run(test, limit_s=90)
