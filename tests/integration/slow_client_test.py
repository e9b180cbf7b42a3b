"""A subscriber that stops reading is evicted, alone, and the lane never waits for it."""

import signal

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, wait_until


def test():
    cluster = Cluster(nodes=2, extra='[client]\nring = "64KiB"\nslow_policy = "evict"')
    reader, sleeper = cluster.subscribe_all("words")

    sleeper.signal(signal.SIGSTOP)
    flood = cluster.publish(1, "words", numbered("flood", 20000))
    flood.finish()
    reader.wait_for(flood.sent[-1])
    wait_until("n2 counts an eviction",
               lambda: cluster.status(2)["counters"]["clients_evicted"] == 1)
    sleeper.signal(signal.SIGCONT)

    check.complete(reader, flood)
    wait_until("the sleeper says that it was evicted", lambda: "evicted" in sleeper.text().lower())
    check.part_of(sleeper, reader)
    assert len(sleeper.messages()) < len(reader.messages()), "it cannot have held all of this"


sandbox.run(test)
