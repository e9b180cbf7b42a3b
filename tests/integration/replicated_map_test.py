"""A replicated map of text to text: from the command line, watched, through a crash and a merge."""

import os
import signal
import subprocess

from harness import audit, sandbox
from harness.cluster import Cluster, wait_until

PROGRAM = os.environ["PHX_EXAMPLE_REPLICATED_MAP"]


class Server:
    def __init__(self, cluster, node, verb):
        self.output = cluster.directory / f"map-{verb}-n{node}.out"
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen([PROGRAM, "map", verb], stdin=subprocess.PIPE,
                                            stdout=out, stderr=out, env=environment(node))
        cluster.clients.append(self)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def lines(self):
        return self.output.read_text().splitlines()

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def tell(self):
        print(f"--- {self.output.name}", *self.lines(), sep="\n")


def environment(node):
    return dict(os.environ, PHX_INSTANCE=f"n{node}")


def run(node, *words):
    done = subprocess.run([PROGRAM, "map", *words], capture_output=True, text=True, timeout=60,
                          check=False, env=environment(node))
    return done.returncode, done.stdout


def test():
    cluster = Cluster(nodes=3)
    servers = [Server(cluster, node, "serve") for node in cluster.nodes]
    # What a process sets that is alone in the group goes with it.
    wait_until("all serve", lambda: audit.members(cluster, 1, "map") == len(servers))
    assert run(1, "set", "colour", "dark", "red") == (0, "")
    assert run(2, "get", "colour") == (0, "dark red\n")
    assert run(3, "get", "none") == (1, "")
    assert run(3, "delete", "none") == (1, "")
    watcher = Server(cluster, 3, "watch")
    wait_until("the watcher has the map", lambda: "set colour dark red" in watcher.lines())
    assert run(1, "set", "size", "9") == (0, "")
    wait_until("the watcher is told", lambda: watcher.lines()[-1] == "set size 9")

    servers[0].process.send_signal(signal.SIGKILL)
    assert run(2, "delete", "size") == (0, "")
    wait_until("the watcher is told", lambda: watcher.lines()[-1] == "delete size")

    cluster.network.split((1, 2), (3,))
    cluster.wait_degraded(cluster.nodes)
    assert run(2, "set", "here", "1") == (0, "")
    assert run(3, "set", "there", "2") == (0, "")
    cluster.network.heal()
    cluster.wait_whole()
    wait_until("the watcher has both", lambda: {"set here 1", "set there 2"} <=
               set(watcher.lines()))
    for node in cluster.nodes:
        assert run(node, "list") == (0, "colour dark red\nhere 1\nthere 2\n"), node


sandbox.run(test, limit_s=90)
