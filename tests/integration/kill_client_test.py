"""Clients are killed at any point: what they held is given back and no ghost member stays.

Argument: how many, or PHX_TEST_TIMES. Of each pair one subscribes and one sends; they die at a
random moment: before they attached, while they join, in the middle of a record.
"""

import os
import random
import sys
import time

from harness import check, sandbox
from harness.audit import Audit
from harness.client import numbered
from harness.cluster import SLOW, Cluster, wait_until


def test():
    times = int(os.environ.get("PHX_TEST_TIMES", int(sys.argv[1]) // SLOW))
    draw = random.Random(times)
    cluster = Cluster(nodes=2)
    watcher = cluster.subscribe_all("words", nodes=[2])[0]
    audit = Audit(cluster)
    pid = cluster.dataplane_pid(1)

    for number in range(times // 2):
        doomed = [cluster.subscribe(1, "words"),
                  cluster.stream(1, "words", f"doomed{number}")]
        if number % 10 == 0:  # Of some it is sure that they came to deliver and to send.
            wait_until("the subscriber delivers", lambda s=doomed[0]: len(s.messages()) >= 50)
        for client in draw.sample(doomed, 2):
            time.sleep(draw.random() / 25)
            client.kill()
            cluster.clients.remove(client)

    assert cluster.dataplane_pid(1) == pid, "the data plane did not survive its clients"
    after = cluster.publish(1, "words", numbered("after", 100))
    after.finish()
    watcher.wait_for(after.sent[-1])
    check.complete(watcher, after)
    check.no_duplicates(watcher)
    audit.check("words", expected=1)


sandbox.run(test, limit_s=int(os.environ.get("PHX_TEST_LIMIT_S", "100")))
