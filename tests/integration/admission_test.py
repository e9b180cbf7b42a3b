"""Who may attach, and what is refused with which exit code."""

import os
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program

NOBODY = 65534


def as_nobody(cluster, extra=()):
    return subprocess.run([program("phalanx"), "--instance", "n1", "pub", "words"], input="hello\n",
                          capture_output=True, text=True, timeout=20, check=False, user=NOBODY,
                          group=NOBODY, extra_groups=list(extra),
                          env=dict(os.environ, PHX_RUNTIME_DIR="/run/phalanx"))


def test():
    refusing = Cluster(nodes=1)

    refused = as_nobody(refusing)

    assert refused.returncode == 5, f"{refused.returncode}: {refused.stderr}"
    assert "error" in refused.stderr and "remedy" in refused.stderr, refused.stderr

    # Nobody listens for that instance: said as such, not as a refusal.
    absent = refusing.phalanx(9, "status", "--json")
    assert absent.returncode == 3, f"{absent.returncode}: {absent.stderr}"


sandbox.run(test)
