"""The savings account: 32 processes on 3 nodes that hold one bank between them.

Deposits and withdrawals come from all of them; some crash and are started again by their
supervisors, a node is cut off, both sides go on, and they meet again. In the end all have the same
bank, nobody's money is lost or made, and what was answered is in it.
"""

import json
import os
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, wait_until

PROCESSES = 32


class Member:
    def __init__(self, cluster, number):
        self.node = number % 3 + 1
        self.output = cluster.directory / f"savings-{number}.out"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [os.environ["PHX_EXAMPLE_SAVINGS"], "savings", "-a", "1000", "-r", "30"],
                stdout=out, stderr=out, env=dict(os.environ, PHX_INSTANCE=f"n{self.node}"))
        cluster.clients.append(self)

    def last(self):
        """What it said last; the line that is being written does not count."""
        lines = self.output.read_bytes().split(b"\n")[:-1]
        said = [line for line in lines if line.startswith(b"{")]
        return json.loads(said[-1]) if said else {}

    def kill(self):
        """The supervisor passes this on; then neither of them is started again."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.kill(self.last()["pid"], signal.SIGKILL)
            self.process.kill()
            self.process.wait(10)

    def tell(self):
        print(f"--- {self.output.name}", self.output.read_text(errors="replace")[-1500:], sep="\n")


def live(members, count):
    told = [member.last() for member in members]
    return all(line.get("live") and line["members"] == count for line in told)


def equal(members):
    told = [member.last() for member in members]
    return (all(line.get("live") and line["pending"] == 0 for line in told) and
            len({(line["digest"], line["sum"], line["operations"]) for line in told}) == 1)


def crash(member):
    """SIGKILL for the instance; its supervisor starts the next one, which gets the state."""
    before = member.last()
    os.kill(before["pid"], signal.SIGKILL)
    wait_until("a crashed process is back", lambda: member.last()["pid"] != before["pid"] and
               member.last()["live"], 30)


def test():
    cluster = Cluster(nodes=3)
    members = [Member(cluster, number) for number in range(PROCESSES)]
    wait_until("all are live", lambda: live(members, PROCESSES), 60)
    for member in members[:4]:
        crash(member)
    wait_until("all are live again", lambda: live(members, PROCESSES), 30)

    here = [member for member in members if member.node != 3]
    there = [member for member in members if member.node == 3]
    before = there[0].last()["deposited"]
    cluster.network.split((1, 2), (3,))
    wait_until("both sides go on", lambda: live(here, len(here)) and live(there, len(there)), 30)
    wait_until("the small side takes money", lambda: there[0].last()["deposited"] > before + 5000)
    crash(there[0])
    cluster.network.heal()
    wait_until("all are one again", lambda: live(members, PROCESSES), 60)

    for member in members:
        member.process.send_signal(signal.SIGUSR1)
    wait_until("all banks are equal", lambda: equal(members), 60)
    told = [member.last() for member in members]
    bank = told[0]
    assert bank["sum"] == bank["deposited"] - bank["withdrawn"], bank
    for kind, total in (("deposits", bank["deposited"]), ("withdrawals", bank["withdrawn"])):
        done = sum(line["done_" + kind] for line in told)
        asked = sum(line["asked_" + kind] for line in told)
        assert done <= total <= asked, (kind, done, total, asked)
        assert done > 0, told
    assert sum(line["refused"] for line in told) > 0, "no withdrawal was refused"
    assert max(line["merged"] for line in told) > 0, "nothing was merged"
    assert max(line["lost_sides"] for line in told) == 0, told


sandbox.run(test, limit_s=150)
