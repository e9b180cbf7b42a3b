"""A control plane is killed and started again under load: applications do not notice.

The data plane stays (same process), no view changes, and not a message is late for good.
"""

import signal
import socket

from harness import check, sandbox
from harness.cluster import Cluster


def test():
    cluster = Cluster(nodes=3)
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}") for n in cluster.nodes]
    for stream in streams:
        stream.more()
        subscribers[0].wait_for(stream.sent[0])  # Its process is attached by then.
    dataplanes = [cluster.dataplane_pid(n) for n in cluster.nodes]

    for node in (2, 1):  # One that does not order the lane, then the one that does.
        cluster.signal_controlplane(node, signal.SIGKILL)
        for stream in streams:
            stream.more(1000)
        cluster.start(node)
        cluster.wait_whole([node])
    # Whoever else connects to the data plane takes nobody's place.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.connect("/run/phalanx/n1/dataplane.sock")
        stranger.settimeout(10)
        assert stranger.recv(64) == b"", "a second control plane was welcomed"
    for stream in streams:
        stream.more()
        stream.finish()

    for subscriber in subscribers:
        for stream in streams:
            subscriber.wait_for(stream.sent[-1])
        check.complete(subscriber, *streams)
        # What sub prints beside messages is views: there must have been none.
        lines = subscriber.lines_from("ready-000000")
        views = len(lines) - 1 - sum(len(s.sent) for s in streams)
        assert views == 0, f"{subscriber.name} saw {views} views"
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))
    assert dataplanes == [cluster.dataplane_pid(n) for n in cluster.nodes]


sandbox.run(test, limit_s=90)
