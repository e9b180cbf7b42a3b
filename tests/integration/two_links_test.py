"""Two networks carry the data path. One breaks, another breaks and comes back: no view changes.

Arguments: "healthiest" or "both" (transport.second.use), then "udp" or "af_packet" (what the first
network is used through), then "workers" for two workers a node. The second network is the kernel's
UDP, or af_packet as well with "ports".

A cable is pulled at its switch, a network is cut one way only (what is sent there vanishes, and its
sender still hears the others), and a network is cut between two of three nodes.
"""

import sys
import time

from harness import check, sandbox
from harness.cluster import Cluster, transport, wait_until


def links(cluster, node):
    return cluster.status(node)["transport"]["links"]


def heard(cluster, which):
    """Whether every node hears all others over that link."""
    return all(links(cluster, node)[which]["heard"] for node in cluster.nodes)


def used(cluster, which):
    """Whether every node sends over that link."""
    return all(links(cluster, node)[which]["used"] for node in cluster.nodes)


def views(cluster):
    return [cluster.status(node)["view"]["id"] for node in cluster.nodes]


def settled(cluster, both):
    """All is well: frames go over the first link, or over both, and everybody hears over both."""
    wait_until("both networks carry", lambda: heard(cluster, 0) and heard(cluster, 1))
    uses = [True, both]
    wait_until(f"the networks are used: {uses}", lambda: all(
        [link["used"] for link in links(cluster, node)] == uses for node in cluster.nodes))


def test():
    use, kind = sys.argv[1:3]
    extra = transport([kind]) or "[transport]\n"
    extra += f'second.use = "{use}"\n'
    if "ports" in sys.argv:
        extra += 'second.kind = "dpdk"\nsecond.port = "net_af_packet1,iface=second"\n'
    else:
        extra += 'second.kind = "udp"\n'
    lanes = ""
    if "workers" in sys.argv:
        extra += "[worker]\ncount = 2\n"
        lanes = "lanes = 2"
    cluster = Cluster(nodes=3, cluster=lanes, extra=extra, second=True)
    network = cluster.network
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(n, "words", f"pub{n}") for n in cluster.nodes]
    settled(cluster, use == "both")
    first = views(cluster)

    def faults():
        yield "n2's cable of the first network", 0, lambda: network.port(2, "down"), \
            lambda: network.port(2, "up")
        yield "n2's cable of the second network", 1, lambda: network.port(2, "down", "second"), \
            lambda: network.port(2, "up", "second")
        yield "n3 is not heard over the first network", 0, \
            lambda: [network.cut(3, n, ["data"]) for n in (1, 2)], network.heal
        yield "n1 and n2 lose one another on the first network", 0, \
            lambda: [network.cut(1, 2, ["data"]), network.cut(2, 1, ["data"])], network.heal

    for what, which, break_it, mend_it in faults():
        for stream in streams:
            stream.more()
        break_it()
        wait_until(f"{what}: somebody notices", lambda w=which: not heard(cluster, w))
        wait_until(f"{what}: all use the other", lambda w=which: used(cluster, 1 - w))
        if use == "healthiest":
            wait_until(f"{what}: nobody uses it",
                       lambda w=which: not any(links(cluster, n)[w]["used"]
                                               for n in cluster.nodes))
        assert "link_silent" in set().union(*(cluster.conditions(n) for n in cluster.nodes))
        for stream in streams:
            stream.more()
        before = time.monotonic()
        for subscriber in subscribers:
            for stream in streams:
                subscriber.wait_for(stream.sent[-1])
        assert time.monotonic() - before < 20
        assert views(cluster) == first, f"{what}: a view changed"
        mend_it()
        settled(cluster, use == "both")

    for stream in streams:
        stream.finish()
    for subscriber in subscribers:
        for stream in streams:
            subscriber.wait_for(stream.sent[-1])
            check.complete(subscriber, stream)
        check.no_duplicates(subscriber)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))
    assert views(cluster) == first, "a view changed"


sandbox.run(test, limit_s=150)
