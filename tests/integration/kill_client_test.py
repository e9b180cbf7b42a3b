"""Clients are killed at any point: what they held is given back and no ghost member stays."""

import os
import signal

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, wait_until


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return sum("memfd:" in line for line in maps)


def test():
    cluster = Cluster(nodes=2)
    watcher = cluster.subscribe_all("words", nodes=[2])[0]
    pid = cluster.dataplane_pid(1)
    before = descriptors(pid), mappings(pid)

    for _ in range(5):
        subscriber = cluster.subscribe(1, "words")
        stream = cluster.stream(1, "words", "doomed")
        wait_until("the subscriber delivers", lambda s=subscriber: len(s.messages()) >= 50)
        subscriber.kill()
        stream.kill()

    wait_until(f"the data plane holds no more than before, {before}",
               lambda: (descriptors(pid), mappings(pid)) <= before)
    wait_until("the group has one member left", lambda: members(cluster, 2) == 1)
    assert cluster.dataplane_pid(1) == pid, "the data plane did not survive its clients"
    after = cluster.publish(1, "words", numbered("after", 100))
    after.finish()
    watcher.wait_for(after.sent[-1])
    check.complete(watcher, after)


def members(cluster, node):
    """Members of the group "words" as the node sees them."""
    import json

    groups = json.loads(cluster.phalanx(node, "groups", "--json", check=True).stdout)["groups"]
    return sum(len(group["members"]) for group in groups if group["name"] == "words")


sandbox.run(test)
