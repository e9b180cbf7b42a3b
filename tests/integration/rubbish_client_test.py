"""Clients that write rubbish into their rings are disconnected, alone.

The data plane goes on, the others get every message, and nothing of the bad ones stays: no memory,
no descriptor, no member of a group.
"""

import json
import os
import subprocess

from harness import check, sandbox
from harness.cluster import SLOW, Cluster, program, wait_until

SEEDS = 60 // SLOW


def held(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        return len(os.listdir(f"/proc/{pid}/fd")), sum("memfd:" in line for line in maps)


def members(cluster):
    groups = json.loads(cluster.phalanx(2, "groups", "--json", check=True).stdout)["groups"]
    return sum(len(group["members"]) for group in groups if group["name"] == "words")


def test():
    cluster = Cluster(nodes=2)
    subscribers = cluster.subscribe_all("words")
    stream = cluster.stream(2, "words", "honest")
    pid = cluster.dataplane_pid(1)
    before = held(pid)

    for seed in range(SEEDS):
        # Its own rubbish may end it, too: all that counts is that it got that far.
        done = subprocess.run([program("rubbish_client"), "n1", str(seed)], capture_output=True,
                              timeout=20 * SLOW, check=False)
        assert done.returncode not in (2, 3), f"seed {seed}: {done}"

    stream.more()
    stream.finish()
    for subscriber in subscribers:
        subscriber.wait_for(stream.sent[-1])
        check.complete(subscriber, stream)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))
    assert cluster.dataplane_pid(1) == pid, "the data plane died of a client"
    counters = cluster.status(1)["counters"]
    assert counters["clients_bad"] > 0, counters
    wait_until("no ghost member stays", lambda: members(cluster) == len(subscribers))
    wait_until(f"the data plane holds no more than {before}", lambda: held(pid) <= before)


sandbox.run(test, limit_s=90)
