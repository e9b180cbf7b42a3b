"""A data plane is stopped for longer than stall_after, then goes on.

Its control plane lives and vouches, so only the stall can tell. The others leave it out and go on;
when it wakes it must not deliver what they did not, and it must come back into the view.
"""

import signal

from harness import check, sandbox
from harness.cluster import Cluster


def test():
    cluster = Cluster(nodes=3)
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}") for n in (1, 3)]
    for stream in streams:
        stream.more()

    cluster.signal_dataplane(2, signal.SIGSTOP)
    cluster.wait_degraded((1, 3))
    for stream in streams:
        stream.more()
    cluster.signal_dataplane(2, signal.SIGCONT)
    cluster.wait_whole()
    for stream in streams:
        stream.more()
        stream.finish()
    cluster.publish(1, "words", ["last-000000"]).finish()

    for subscriber in subscribers:
        subscriber.wait_for("last-000000")
        check.no_duplicates(subscriber)
    check.complete(subscribers[0], *streams)
    check.same([subscribers[0], subscribers[2]], lambda s: s.lines_from("ready-000000"))
    ends = [s.messages()[-100:] for s in subscribers]
    assert ends[1] == ends[0], "the node that was stopped ends with another sequence"


sandbox.run(test, limit_s=90)
