"""Clients that may read the shared log see what others see; a slow one is evicted alone."""

import os
import signal
import subprocess

from harness import check, sandbox
from harness.client import Client, Subscriber, numbered
from harness.cluster import Cluster, program, wait_until

NOBODY = 65534


class SharedSubscriber(Subscriber):
    def __init__(self, cluster, node, group, **popen):
        Client.__init__(self, cluster, node, group, "sub", extra=["--shared"], **popen)


def shared(cluster, node, group, **popen):
    client = SharedSubscriber(cluster, node, group, **popen)
    cluster.clients.append(client)
    return client


def as_nobody(cluster, user):
    """What a user who may attach says when it wants the log, after one message."""
    done = subprocess.run([program("phalanx"), "--instance", "n1", "sub", "others", "--shared",
                           "--until-idle", "0.5"], capture_output=True, text=True, timeout=20,
                          check=False, user=user, group=user, extra_groups=[],
                          env=dict(os.environ, PHX_RUNTIME_DIR="/run/phalanx"))
    assert done.returncode == 0 and "view" in done.stdout, done
    return "a ring of its own" not in done.stderr


def test():
    cluster = Cluster(nodes=2, extra='[client]\nring = "64KiB"\nshared_log = "4MiB"\n'
                      f"uids = [{NOBODY}, {NOBODY - 1}]\nshared_uids = [{NOBODY}]")
    own, far = cluster.subscribe_all("words")
    readers = [shared(cluster, 1, "words") for _ in range(3)]
    for reader in readers:
        wait_until(f"{reader.name} has joined", reader.lines)
        assert "a ring of its own" not in reader.text(), "root may read the log"

    flood = cluster.publish(2, "words", numbered("flood", 20000))
    aside = cluster.publish(1, "aside", numbered("aside", 1000))
    flood.finish()
    aside.finish()
    for reader in readers + [own, far]:
        reader.wait_for(flood.sent[-1])
        check.complete(reader, flood)
        assert reader.messages()[-20000:] == own.messages()[-20000:], reader.name
        assert not any("aside" in line for line in reader.lines()), "not a member of that group"

    # The kernel's word and the lists decide; who may not has a ring of its own.
    assert as_nobody(cluster, NOBODY)
    assert not as_nobody(cluster, NOBODY - 1)

    # One that stops reading is out, and nobody waits for it.
    readers[0].signal(signal.SIGSTOP)
    for part in range(8):
        flood = cluster.publish(1, "words", numbered(f"more{'abcdefgh'[part]}", 20000))
        flood.finish()
    for reader in readers[1:] + [own, far]:
        reader.wait_for(flood.sent[-1])
        check.complete(reader, flood)
    wait_until("n1 counts an eviction",
               lambda: cluster.status(1)["counters"]["clients_evicted"] == 1)
    readers[0].signal(signal.SIGCONT)
    wait_until("it says that it was evicted", lambda: "evicted" in readers[0].text().lower())
    seen = readers[0].messages()
    assert seen == readers[1].messages()[:len(seen)], "what it saw is what others saw"

    # The data plane dies: all come back, and read the log of the next one.
    cluster.signal_dataplane(1, signal.SIGKILL)
    cluster.wait_whole()
    for reader in readers[1:]:
        wait_until(f"{reader.name} is back", lambda r=reader: "attached again" in r.text())
    last = cluster.publish(2, "words", numbered("last", 100))
    last.finish()
    for reader in readers[1:]:
        reader.wait_for(last.sent[-1])


sandbox.run(test)
