"""Votes changed at run time: five real nodes agree, remember through a partition and a restart.

A change that could split the cluster is refused and names the split; one given on a minority side
is refused as well.
"""

import json
import signal

from harness import sandbox
from harness.cluster import Cluster, wait_until


def quorum(cluster, node):
    done = cluster.phalanx(node, "quorum", "--json")
    return json.loads(done.stdout)["quorum"]


def votes(cluster, node):
    return [one["votes"] for one in quorum(cluster, node)["votes"]]


def refused(cluster, node, *words):
    done = cluster.phalanx(node, "quorum", *words)
    assert done.returncode == 1, (words, done.returncode, done.stdout, done.stderr)
    return done.stderr


def test():
    cluster = Cluster(nodes=5)
    before = quorum(cluster, 1)["view_sequence"]

    # Node 4 is not the one that leads views; all count with it from one view on.
    done = cluster.phalanx(4, "quorum", "votes", "n5", "0", check=True)
    assert "4 of 5 votes, 3 needed" in done.stdout, done.stdout
    for node in cluster.nodes:
        wait_until(f"n{node} counts with it",
                   lambda n=node: votes(cluster, n) == [1, 1, 1, 1, 0])
    after = {json.dumps(quorum(cluster, node)["revision"]) for node in cluster.nodes}
    assert len(after) == 1 and int(after.pop()) > before
    cluster.phalanx(2, "quorum", "expected", "4", check=True)

    split = refused(cluster, 1, "votes", "n1", "4")
    assert "would be quorate" in split and "{n1" in split and "n3" in split, split
    assert "could split" in refused(cluster, 1, "expected", "2")
    assert "nobody waits" in refused(cluster, 1, "cancel-wait-for-all")
    assert cluster.phalanx(1, "quorum", "votes", "n9", "1").returncode == 2
    assert cluster.phalanx(1, "quorum", "votes", "n1").returncode == 2
    assert cluster.phalanx(1, "quorum", "votes", "n1", "9999").returncode == 2

    # n5 has no vote any more, so {n3 n4 n5} has lost what it had as configured.
    cluster.network.split((1, 2), (3, 4, 5))
    wait_until("n3 has lost n1", lambda: not quorum(cluster, 3)["quorate"])
    assert quorum(cluster, 3)["total"] == 2, quorum(cluster, 3)
    assert "not quorate" in refused(cluster, 3, "votes", "n5", "1")
    cluster.network.heal()
    cluster.wait_whole()

    # Who starts anew learns it from the others.
    cluster.signal_controlplane(3, signal.SIGTERM)
    cluster.controlplanes[3].wait(20)
    cluster.start(3)
    cluster.wait_whole()
    wait_until("n3 counts with it again", lambda: votes(cluster, 3) == [1, 1, 1, 1, 0])
    assert quorum(cluster, 3)["expected"] == 4, quorum(cluster, 3)


sandbox.run(test, limit_s=110)
