"""Logs: levels and targets at run time, rotation, floods that fill no log, guards and refusals.

Whatever a stranger or a peer sends, a node logs at most a line a second for one reason, and counts
the rest.
"""

import json
import re
import signal
import subprocess
import sys
import time

from harness import sandbox
from harness.admin import ask_as
from harness.cluster import SLOW, Cluster, program, wait_until

NOBODY = 65534

# Rubbish to a node's management address, from a node's namespace.
FLOOD = """
import os, socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
end = time.monotonic() + float(sys.argv[2])
head = bytes([0xA8, 1, 1, 0])
sent = 0
while time.monotonic() < end:
    for packet in (os.urandom(88), head + os.urandom(84), head[:1] + bytes([9]) + os.urandom(86),
                   bytes([0xA8, 1, 5, 0]) + os.urandom(596), b"x"):
        try:
            out.sendto(packet, (sys.argv[1], 5406))
            sent += 1
        except OSError:
            pass
print(sent)
"""


def state(cluster, node):
    return json.loads(cluster.phalanx(node, "log", "--json", check=True).stdout)


def row(cluster, node, subsystem):
    return next(one for one in state(cluster, node)["subsystems"] if one["subsystem"] == subsystem)


def levels_and_targets(cluster, path):
    """Set for one subsystem and for all; rotated away and opened anew."""
    cluster.phalanx(1, "log", "level", "debug", "membership", check=True)
    assert row(cluster, 1, "membership")["level"] == "debug"
    assert row(cluster, 1, "map")["level"] == "info"
    assert cluster.phalanx(1, "log", "level", "loud").returncode == 2
    assert cluster.phalanx(1, "log", "level", "warn", "totem").returncode == 2
    cluster.phalanx(1, "log", "targets", "file", check=True)
    assert row(cluster, 1, "quorum")["targets"] == "file"

    cluster.phalanx(1, "log", "level", "info", check=True)
    wait_until("the file is written", lambda: "log level changed" in path.read_text())
    old = path.rename(path.with_suffix(".1"))
    cluster.phalanx(1, "log", "level", "info", "map", check=True)
    assert not path.exists() and "subsystem=map" in old.read_text()
    cluster.phalanx(1, "log", "reopen", check=True)
    wait_until("the new file is written", lambda: "opened anew" in path.read_text())
    assert "opened anew" not in old.read_text()

    shown = cluster.phalanx(1, "log", "show", "--subsystem", "admin", check=True).stdout
    assert "log file opened anew" in shown, shown
    only = cluster.phalanx(1, "log", "show", "--lines", "1", "--level", "info", check=True).stdout
    assert len(only.splitlines()) == 1, only


def data_plane(cluster, path):
    """Its lines go where the others go: by level and target, into memory, also of its death."""
    assert row(cluster, 1, "dataplane")["targets"] == "file"
    time.sleep(1.1)  # A line a second a reason: the first one has told the same.
    old = cluster.signal_dataplane(1, signal.SIGKILL)
    wait_until("the data plane is started again",
               lambda: cluster.dataplane_pid(1) not in (0, old))
    wait_until("it has told so", lambda: "cipher=" in path.read_text())
    shown = cluster.phalanx(1, "log", "show", "--subsystem", "dataplane", check=True).stdout
    assert shown.count("cipher=") >= 2, shown
    cluster.wait_whole()


def flood(cluster, path):
    """Some hundred thousand bad datagrams: one line a second a reason, and none is uncounted."""
    before = len(path.read_text().splitlines())
    began = time.monotonic()
    seconds = 3.0
    done = subprocess.run(
        ["nsenter", "--net=/run/netns/n2", sys.executable, "-c", FLOOD,
         cluster.network.host(1, "mgmt"), str(seconds)],
        capture_output=True, text=True, timeout=60 * SLOW, check=True)
    assert int(done.stdout) > 1000, done.stdout
    wait_until("n1 is as it was", lambda: cluster.is_whole(1))
    lines = path.read_text().splitlines()[before:]
    print(f"{done.stdout.strip()} datagrams, {len(lines)} lines")
    took = time.monotonic() - began
    reasons = {}
    for line in lines:
        words = re.search(r": (.*?)(?: \w+=|$)", line).group(1)
        words += str(re.findall(r'reason="[^"]*"', line))
        reasons[words] = reasons.get(words, 0) + 1
    assert lines, "a flood is worth a line"
    for reason, count in reasons.items():
        assert count <= took + 2, (reason, count, took)


def refusals(cluster, path):
    """A user without the right is refused and logged, whatever it asks for."""
    orders = ("reload", "remove", "leave", "log", "shutdown", "quorum")
    codes = ask_as(65534, 1, [{"command": order, "node": 2, "reason": "spite"} for order in orders])
    assert codes == [5] * 6, codes
    text = path.read_text()
    for order in orders:
        assert f'reason="{order} by a user without the right" uid=65534' in text, order
    assert cluster.is_whole(1)


def guards(cluster):
    """A veto is named; it ends with its guard, or is passed over by force."""
    guard = subprocess.Popen([program("phalanx"), "--instance", "n2", "guard", "--name", "backup",
                              "--reason", "a backup runs"], stdout=subprocess.PIPE, text=True)
    assert guard.stdout.readline() == "guarding\n"
    refused = cluster.phalanx(2, "leave")
    assert refused.returncode == 1, refused
    assert f"backup (pid {guard.pid}): a backup runs" in refused.stderr, refused.stderr
    assert cluster.is_whole(1), "it went all the same"
    # Killed, it guards no longer; a second one that is stopped does not answer.
    guard.send_signal(signal.SIGKILL)
    guard.wait(10)
    with subprocess.Popen([program("phalanx"), "--instance", "n2", "guard", "--reason", "asleep"],
                          stdout=subprocess.PIPE, text=True) as asleep:
        assert asleep.stdout.readline() == "guarding\n"
        asleep.send_signal(signal.SIGSTOP)
        late = cluster.phalanx(2, "leave")
        assert late.returncode == 1 and "it does not answer" in late.stderr, late
        forced = cluster.phalanx(2, "leave", "--force")
        assert forced.returncode == 0, forced
        asleep.send_signal(signal.SIGKILL)
    assert cluster.controlplanes[2].wait(20) == 0
    wait_until("n1 is alone", lambda: len(cluster.status(1)["view"]["members"]) == 1)
    assert cluster.status(1)["view"]["left"] == [{"node": 2, "why": "leave"}]
    assert cluster.phalanx(2, "leave").returncode == 3


def test():
    path = "/run/phalanx-test.log"
    cluster = Cluster(nodes=2, extra=f'[log]\nfile = "{path}"\ntargets = "stderr file"\n'
                      f'[client]\nuids = [{NOBODY}]\n', start=False)
    cluster.start(1)
    own = cluster.directory / "n2.toml"
    own.write_text(cluster.config_text(), encoding="utf-8")
    cluster.start(2, own)
    cluster.wait_whole()
    path = type(own)(path)
    levels_and_targets(cluster, path)
    data_plane(cluster, path)
    flood(cluster, path)
    refusals(cluster, path)
    guards(cluster)


sandbox.run(test, limit_s=110)
