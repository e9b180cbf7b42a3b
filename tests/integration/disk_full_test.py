"""The file systems of a node's state, sockets and log fill up while it runs.

What runs goes on: views change, messages flow, a log that cannot be written stops nobody. What
starts says which file system is full and what to do; when there is room again, it starts.
"""

import signal
import subprocess

from harness import check, sandbox
from harness.audit import Audit
from harness.client import numbered
from harness.cluster import Cluster


def mount_small(path):
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", str(path)],
                   check=True)


def fill(path):
    with open(path / "ballast", "wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            pass


def refused(cluster, node, full):
    """Starts a control plane, which must end with 1 and name the full file system."""
    log = cluster.directory / f"n{node}.log"
    before = len(log.read_text())
    cluster.start(node)
    assert cluster.controlplanes[node].wait(20) == 1, log.read_text()[before:]
    said = log.read_text()[before:]
    assert "ENOSPC" in said and str(full) in said and "free some space" in said, said


def test():
    cluster = Cluster(nodes=3, start=False)
    state, sockets, logs = (cluster.directory / "state", cluster.directory / "sockets",
                            cluster.directory / "logs")
    for path in (state, sockets, logs):
        mount_small(path)
    text = cluster.config.read_text().replace(
        "[node]", f'[node]\nruntime_directory = "{sockets}"')
    cluster.config.write_text(text)
    subprocess.run(["ln", "-s", str(sockets), "/run/phalanx"], check=True)
    (logs / "n1.log").touch()
    (cluster.directory / "n1.log").symlink_to(logs / "n1.log")
    for node in cluster.nodes:
        cluster.start(node)
    cluster.wait_whole()
    subscribers = cluster.subscribe_all("words")
    audit = Audit(cluster)
    streams = [cluster.stream(n, "words", f"pub{n}", lines_per_s=500) for n in cluster.nodes]
    for stream in streams:
        stream.more()

    for path in (state, sockets, logs):
        fill(path)
    for _ in range(3):
        cluster.network.split((1,), (2, 3))
        cluster.wait_degraded(cluster.nodes)
        cluster.network.heal()
        cluster.wait_whole()
    after = cluster.publish(1, "words", numbered("full", 100))  # A client attaches on a full disk.
    after.finish()

    cluster.signal_controlplane(2, signal.SIGKILL)
    refused(cluster, 2, state)
    (state / "ballast").unlink()
    cluster.start(2)  # It needs no more room for its sockets than it had.
    cluster.wait_whole()
    for stream in streams:
        stream.more()
        stream.finish()
    cluster.publish(1, "words", ["last-000000"]).finish()

    for subscriber, stream in zip(subscribers, streams):
        subscriber.wait_for("last-000000")
        check.no_duplicates(subscriber)
        check.complete(subscriber, stream)
    check.within_views(subscribers)
    audit.check("words", expected=len(subscribers))


sandbox.run(test, limit_s=100)
