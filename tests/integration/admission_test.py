"""Who may attach, and what is refused with which exit code."""

import json
import os
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program

NOBODY = 65534
GUESTS = 4321  # A group that nobody is in unless told.


def as_nobody(*words, groups=(), user=NOBODY):
    return subprocess.run([program("phalanx"), "--instance", "n1", "pub", "words", *words],
                          input="hello\n", capture_output=True, text=True, timeout=20, check=False,
                          user=user, group=user, extra_groups=list(groups),
                          env=dict(os.environ, PHX_RUNTIME_DIR="/run/phalanx"))


def test():
    refusing = Cluster(nodes=1)

    refused = as_nobody("--json")

    assert refused.returncode == 5, f"{refused.returncode}: {refused.stderr}"
    assert "error" in refused.stderr and "remedy" in refused.stderr, refused.stderr
    assert json.loads(refused.stdout)["error"]["code"] == 5, refused.stdout
    assert refusing.status(1)["counters"]["clients_attached"] == 0, "it got as far as the worker"

    # The same for one who may attach at all, but is not on the lists; they are, by user or group.
    refusing.signal_controlplane(1, signal.SIGTERM)
    refusing.controlplanes[1].wait(20)
    lists = refusing.directory / "lists.toml"
    lists.write_text(refusing.config_text(f"[client]\nuids = [{NOBODY}]\ngids = [{GUESTS}]"))
    refusing.start(1, lists)
    refusing.wait_whole()
    other = as_nobody(user=NOBODY - 1)
    assert other.returncode == 5 and "client.uids" in other.stderr, other
    for allowed in (as_nobody(), as_nobody(user=NOBODY - 1, groups=[GUESTS])):
        assert allowed.returncode == 0, allowed

    # Nobody listens for that instance: said as such, not as a refusal.
    absent = refusing.phalanx(9, "status", "--json")
    assert absent.returncode == 3, f"{absent.returncode}: {absent.stderr}"


sandbox.run(test)
