"""Who may attach and who may give orders, and what is refused with which exit code."""

import json
import os
import signal
import subprocess

from harness import sandbox
from harness.admin import ask_as
from harness.cluster import Cluster, program

NOBODY = 65534
GUESTS = 4321  # A group that nobody is in unless told.


def as_nobody(*words, groups=(), user=NOBODY, command=("pub", "words")):
    return subprocess.run([program("phalanx"), "--instance", "n1", *command, *words],
                          input="hello\n", capture_output=True, text=True, timeout=20, check=False,
                          user=user, group=user, extra_groups=list(groups),
                          env=dict(os.environ, PHX_RUNTIME_DIR="/run/phalanx"))


# One connection, many requests: each is judged by who made the connection.
ORDERS = ({"command": "status"}, {"command": "shutdown"}, {"command": "leave"},
          {"command": "shutdown", "keep_dataplane": True}, {"command": "status"})


def orders_of_nobody():
    """What a stranger is answered when the modes of the files let it through by mistake."""
    for path in ("/run/phalanx", "/run/phalanx/n1"):
        os.chmod(path, 0o711)
    os.chmod("/run/phalanx/n1/admin.sock", 0o666)
    return ask_as(NOBODY, 1, ORDERS)


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
    # Whoever may attach may look, and nobody else.
    for words in (["status"], ["top", "--once"]):
        refused, looked = as_nobody(user=NOBODY - 1, command=words), as_nobody(command=words)
        assert refused.returncode == 5 and "client.uids" in refused.stderr, refused
        assert looked.returncode in (0, 4) and "view" in looked.stdout, looked

    # Reading is for whoever gets that far; orders are not, whatever came before them.
    assert orders_of_nobody() == [0, 5, 5, 5, 0]
    refusing.wait_whole()

    # Nobody listens for that instance: said as such, not as a refusal.
    absent = refusing.phalanx(9, "status", "--json")
    assert absent.returncode == 3, f"{absent.returncode}: {absent.stderr}"


sandbox.run(test)
