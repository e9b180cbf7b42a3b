"""A data plane is killed with SIGKILL under load.

The others install a view without it and lose nothing; the node comes back by itself and its
subscriber, re-attached by the library, prints the end of the very same sequence.
"""

import signal
import sys

from harness import check, sandbox
from harness.cluster import Cluster, transport, wait_until


def test():
    victim = int(sys.argv[1])  # 1 orders the lane, any other does not.
    cluster = Cluster(nodes=3, extra=transport(sys.argv))
    survivors = [n for n in cluster.nodes if n != victim]
    subscribers = dict(zip(cluster.nodes, cluster.subscribe_all("words")))
    streams = [cluster.stream(n, "words", f"pub{n}") for n in survivors]
    for stream in streams:
        stream.more()

    old = cluster.signal_dataplane(victim, signal.SIGKILL)
    for stream in streams:
        stream.more()
    wait_until("the data plane is started again",
               lambda: cluster.dataplane_pid(victim) not in (0, old))
    cluster.wait_whole()
    for stream in streams:
        stream.more()
        stream.finish()
    cluster.publish(survivors[0], "words", ["last-000000"]).finish()

    for subscriber in subscribers.values():
        subscriber.wait_for("last-000000")
        check.no_duplicates(subscriber)
    first, second = (subscribers[n] for n in survivors)
    check.complete(first, *streams)
    check.same([first, second], lambda s: s.lines_from("ready-000000"))
    again, whole = subscribers[victim].messages(), first.messages()
    suffix = len(again) - check.first_difference(list(reversed(again)), list(reversed(whole)))
    assert len(again) - suffix >= 100, f"only {len(again) - suffix} messages after the return"


sandbox.run(test)
