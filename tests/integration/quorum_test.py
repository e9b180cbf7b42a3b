"""Three nodes, a `leader` example on each; the third node is cut off and comes back.

There is one leader, on the side that is quorate; the cut-off one waits, told with the view in which
it is alone. `phalanx quorum` says the same of each node, and `--what-if` said it before.
"""

import json
import os
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until

ROLES = ("leader", "follower", "waiting for quorum")


class Leader:
    def __init__(self, cluster, node):
        self.name = f"leader n{node}"
        self.output = cluster.directory / f"leader-n{node}.out"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [os.environ["PHX_EXAMPLE_LEADER"], "election", f"n{node}"], stdout=out, stderr=out)
        cluster.clients.append(self)

    def lines(self):
        return self.output.read_text(errors="replace").split("\n")[:-1]

    def role(self):
        said = [line.split(" (")[0] for line in self.lines() if line.startswith(ROLES)]
        return said[-1] if said else ""

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def tell(self):
        print(f"--- {self.name}", *self.lines(), sep="\n")


def roles(leaders):
    return sorted(leader.role() for leader in leaders)


def quorum(cluster, node):
    done = cluster.phalanx(node, "quorum", "--json")
    return done.returncode, json.loads(done.stdout)["quorum"]


def what_if(cluster, question):
    done = subprocess.run([program("phalanx"), "--config", str(cluster.config), "quorum",
                           "--what-if", question], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test():
    cluster = Cluster(nodes=3)
    assert what_if(cluster, "n3-down")[0] == 0, what_if(cluster, "n3-down")
    assert what_if(cluster, "n1,n2-down")[0] == 4, what_if(cluster, "n1,n2-down")
    assert what_if(cluster, "n9-down")[0] == 2, what_if(cluster, "n9-down")

    leaders = [Leader(cluster, node) for node in cluster.nodes]
    whole = ["follower", "follower", "leader"]
    # Node 1 is the first of the list when all have joined.
    wait_until("there is one leader",
               lambda: roles(leaders) == whole and leaders[0].role() == "leader")
    begun = [len(leader.lines()) for leader in leaders]
    code, said = quorum(cluster, 3)
    assert code == 0 and said["quorate"] and said["total"] == 3, said

    cluster.network.split((1, 2), (3,))
    wait_until("n3 waits", lambda: leaders[2].role() == "waiting for quorum")
    wait_until("the others go on", lambda: roles(leaders[:2]) == ["follower", "leader"])
    # Never told later than with the view: between its first line as a loser and before there is
    # no view that was quorate and had it alone.
    alone = [line for line in leaders[2].lines() if ", 1 nodes" in line]
    assert alone and all("not quorate" in line for line in alone), leaders[2].lines()
    code, said = quorum(cluster, 3)
    assert code == 4 and said["reason"] == "too few votes" and said["total"] == 1, said
    assert quorum(cluster, 1)[0] == 0

    cluster.network.heal()
    cluster.wait_whole()
    wait_until("there is one leader again", lambda: roles(leaders) == whole)
    # While they join one after another, the first of the list is now this one and now that.
    led = [line for leader, joined in zip(leaders, begun) for line in leader.lines()[joined:]
           if line.startswith("leader")]
    assert len(led) == len(set(led)), f"two leaders in one view: {led}"
    for leader in leaders:
        leader.process.send_signal(signal.SIGTERM)
        assert leader.process.wait(10) == 0, leader.lines()


sandbox.run(test, limit_s=90)
