"""The two processes of a node run alone, as two units of an init system would start them.

The starter makes the clients' socket, which outlives both. A control plane that is stopped leaves
the data plane alone, and the next one takes it up: a subscriber sees no view. A data plane that
died is waited for until the starter brings another; the subscriber comes back by itself.
"""

import signal
import socket
import subprocess

from harness import check, sandbox
from harness.cluster import Cluster, program, wait_until

NAMESPACE = "--net=/run/netns/n1"


def start_controlplane(cluster, listener):
    """With the listening socket as descriptor 3, by the protocol of systemd."""
    script = ("exec 3<&$1; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec " +
              program("phalanx-controlplane") + ' --no-dataplane-start "$@"')
    with open(cluster.directory / "n1.log", "ab") as log:
        cluster.controlplanes[1] = subprocess.Popen(
            ["nsenter", NAMESPACE, "bash", "-c", script, "starter", str(listener.fileno()),
             "--config", str(cluster.config), "--instance", "n1"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listener.fileno()])


def start_dataplane(cluster):
    with open(cluster.directory / "dataplane.log", "ab") as log:
        return subprocess.Popen(
            ["nsenter", NAMESPACE, program("phalanx-dataplane"), "--config", str(cluster.config),
             "--instance", "n1"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def test():
    cluster = Cluster(nodes=1, start=False)
    subprocess.run(["mkdir", "-p", "-m", "711", "/run/phalanx/n1"], check=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("/run/phalanx/n1/phalanx.sock")
    listener.listen(64)

    start_controlplane(cluster, listener)
    wait_until("the control plane runs alone", lambda: cluster.is_degraded(1))
    first = start_dataplane(cluster)
    cluster.wait_whole()
    subscriber, = cluster.subscribe_all("words")
    stream = cluster.stream(1, "words", "pub")
    stream.more()

    cluster.signal_controlplane(1, signal.SIGTERM)
    assert cluster.controlplanes[1].wait(20) == 0, "it did not end in good order"
    stream.more(1000)
    start_controlplane(cluster, listener)
    cluster.wait_whole()
    stream.more()
    stream.finish()
    subscriber.wait_for(stream.sent[-1])
    check.complete(subscriber, stream)
    assert len(subscriber.lines_from("ready-000000")) == 1 + len(stream.sent), "a view was seen"
    assert first.poll() is None, "the data plane did not go on"

    first.kill()
    first.wait(10)
    wait_until("its death is noticed", lambda: cluster.is_degraded(1))
    second = start_dataplane(cluster)
    cluster.wait_whole()
    wait_until("the subscriber is back", lambda: "attached again" in subscriber.text())
    cluster.publish(1, "words", ["last-000000"]).finish()
    subscriber.wait_for("last-000000")
    second.terminate()
    assert second.wait(20) == 0, "the data plane did not end in good order"


sandbox.run(test)
