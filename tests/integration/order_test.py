"""Three publishers at once, on three nodes: every subscriber prints the very same lines.

Over UDP, memif, af_packet or af_xdp, IPv4 or IPv6, with a copy for each peer or to a multicast
group, which spares the copies: also through a switch that passes a group only to those who asked.
"""

import sys

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import SLOW, Cluster, transport, wait_until


def test():
    ipv6 = "ipv6" in sys.argv
    group = "[ff02::7068:1]:5407" if ipv6 else "239.192.0.7:5407"
    extra = transport(sys.argv)
    if "multicast" in sys.argv:
        extra += f'[transport]\nmulticast = "{group}"\n'
    cluster = Cluster(nodes=3, ipv6=ipv6, extra=extra, start=False)
    if "group" in sys.argv:
        cluster.network.snoop()
    for node in cluster.nodes:
        cluster.start(node)
    if "group" in sys.argv:
        wait_until("all nodes have asked for the group",
                   lambda: cluster.network.ports_in(
                       "ff05::7068:1" if ipv6 else "239.192.0.7") == 3)
    cluster.wait_whole()
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
