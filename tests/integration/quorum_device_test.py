"""Two nodes and an arbiter: of a split exactly one side is quorate, the other only with it again.

The arbiter is away for a while, restarts with its file and without, and is not needed meanwhile.
"""

import json
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until

ADDRESS = "10.77.1.9"


class Arbiter:
    """A process outside of the nodes' namespaces, on the management bridge."""

    name = "arbiter"

    def __init__(self, cluster):
        self.cluster = cluster
        self.process = None
        subprocess.run(["ip", "addr", "add", f"{ADDRESS}/24", "dev", "mgmt"], check=True)
        cluster.clients.append(self)

    def start(self):
        with open(self.cluster.directory / "arbiter.log", "ab") as log:
            self.process = subprocess.Popen(
                [program("phalanx-arbiter"), "--config", str(self.cluster.config), "--instance",
                 "n1", "--state-directory", str(self.cluster.directory)], stdout=log, stderr=log)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)

    def kill_and_be_missed(self):
        self.kill()
        for node in self.cluster.nodes:
            wait_until(f"n{node} misses the arbiter",
                       lambda n=node: not quorum(self.cluster, n)["device"]["answers"])

    def grants(self):
        """Has it got a state file that says that all nodes were seen together?"""
        path = self.cluster.directory / "arbiter.state"
        return path.exists() and "forgotten 0" in path.read_text()

    def tell(self):
        path = self.cluster.directory / "arbiter.state"
        print(path.read_text() if path.exists() else "the arbiter has no state yet")


def quorum(cluster, node):
    return json.loads(cluster.phalanx(node, "quorum", "--json").stdout)["quorum"]


def alone(cluster, node):
    return sum(vote["in_view"] for vote in quorum(cluster, node)["votes"]) == 1


def quorate(cluster):
    return [node for node in cluster.nodes if quorum(cluster, node)["quorate"]]


def wait_together(cluster):
    """All nodes in one view, whether or not the device speaks."""
    for node in cluster.nodes:
        wait_until(f"n{node} has every node in its view",
                   lambda n=node: cluster.conditions(n) in (set(), {"device_silent"}))


def whole_again(cluster):
    cluster.network.heal()
    wait_together(cluster)
    assert quorate(cluster) == [1, 2]


def split(cluster):
    cluster.network.split((1,), (2,))
    for node in cluster.nodes:
        wait_until(f"n{node} is alone", lambda n=node: alone(cluster, n))


def test():
    cluster = Cluster(nodes=2, start=False,
                      extra=f'[quorum.device]\naddress = "{ADDRESS}:5407"\nvotes = 1')
    arbiter = Arbiter(cluster)
    for node in cluster.nodes:
        cluster.start(node)
    # Two of three votes: it is not needed, and was never there.
    wait_together(cluster)
    assert quorate(cluster) == [1, 2]
    arbiter.start()
    wait_until("the arbiter has seen both in one view", arbiter.grants)
    wait_until("n2 hears it", lambda: quorum(cluster, 2)["device"]["answers"])
    text = cluster.phalanx(2, "quorum").stdout
    assert f"device {ADDRESS}:5407, votes 1, answers, not counted" in text, text

    split(cluster)
    winner = wait_until("one side is quorate", lambda: quorate(cluster))
    assert len(winner) == 1, winner
    said = quorum(cluster, winner[0])
    assert said["device"]["counted"] and said["total"] == 2 and said["needed"] == 2, said
    view = said["view_sequence"]

    # It forgets nothing, and nobody needs it where nothing changes.
    arbiter.kill_and_be_missed()
    assert quorate(cluster) == winner and quorum(cluster, winner[0])["view_sequence"] == view
    arbiter.start()
    loser = 3 - winner[0]
    wait_until("the other side hears it", lambda: quorum(cluster, loser)["device"]["answers"])
    assert quorate(cluster) == winner
    whole_again(cluster)

    # Away when it is needed: no side. Back: one.
    arbiter.kill()
    split(cluster)
    assert quorate(cluster) == [], "without the arbiter"
    arbiter.start()
    winner = wait_until("one side is quorate", lambda: quorate(cluster))
    assert len(winner) == 1, winner

    # It has lost its file: it may have voted for either.
    loser = 3 - winner[0]
    arbiter.kill_and_be_missed()
    (cluster.directory / "arbiter.state").unlink()
    arbiter.start()
    wait_until("the loser hears it", lambda: quorum(cluster, loser)["device"]["answers"])
    assert quorate(cluster) == winner
    whole_again(cluster)
    wait_until("the arbiter has seen both in one view", arbiter.grants)


sandbox.run(test, limit_s=110)
