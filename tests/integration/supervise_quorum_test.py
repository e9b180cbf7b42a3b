"""A program under `phalanx supervise --with-quorum` runs on the quorate side of a split only.

It waits for the first view, is stopped when its side loses quorum, and is started again when the
sides meet; on the other side nothing happens.
"""

import os
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until


class Supervised:
    """Its program writes a line when it starts, and one when it is told to stop."""

    def __init__(self, cluster, node):
        self.name = f"supervised n{node}"
        self.output = cluster.directory / f"supervised-n{node}.out"
        script = 'trap "echo stopped; exit 1" TERM; echo started; while :; do sleep 0.05; done'
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [program("phalanx"), "--instance", f"n{node}", "supervise", "--with-quorum",
                 "--delay", "20ms", "--max-delay", "20ms", "--", "sh", "-c", script],
                stdout=out, stderr=out, env=dict(os.environ))
        cluster.clients.append(self)

    def lines(self):
        return self.output.read_text(errors="replace").splitlines()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def tell(self):
        print(f"--- {self.name}", *self.lines(), sep="\n")


def test():
    cluster = Cluster(nodes=3, start=False)
    supervised = [Supervised(cluster, node) for node in cluster.nodes]
    for one in supervised:
        wait_until(f"{one.name} waits", lambda o=one: "waits for quorum" in "".join(o.lines()))
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()
    for one in supervised:
        wait_until(f"{one.name} runs", lambda o=one: o.lines()[-1] == "started")
    begun = [one.lines().count("started") for one in supervised]

    cluster.network.split((1, 2), (3,))
    wait_until("n3 was stopped", lambda: "stopped" in supervised[2].lines())
    wait_until("n3 waits again", lambda: "waits for quorum" in supervised[2].lines()[-1])
    assert any("runs without quorum: warned" in line for line in supervised[2].lines())

    cluster.network.heal()
    wait_until("n3 runs again", lambda: supervised[2].lines()[-1] == "started")
    assert [one.lines().count("started") for one in supervised[:2]] == begun[:2]
    assert not any("stopped" in one.lines()[-1] for one in supervised)

    # A stop signal reaches the program, also one that waits; then all is over.
    for one in supervised:
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(20) == 1, one.lines()


sandbox.run(test, limit_s=90)
