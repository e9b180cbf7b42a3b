"""The configuration map and the statistics map of a node, from the command line and from a program.

What the daemon runs with is there and read-only; applications add keys, whose changes are told
in order; another user's key stays as it is; each mistake has an answer of its own; watchers and
clients notice at once when the control plane dies.
"""

import json
import os
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until

NOBODY = 65534
FINE, FAILED, USAGE, NOT_RUNNING, PERMISSION = 0, 1, 2, 3, 5


def phx_map(cluster, *words, node=1):
    done = cluster.phalanx(node, "map", *words)
    return done.returncode, done.stdout


def expect(cluster, code, *words):
    got, text = phx_map(cluster, *words)
    assert got == code, (words, got, text)
    return text


def other_user(*words):
    return subprocess.run([program("phalanx"), "--instance", "n1", "map", *words], user=NOBODY,
                          group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True,
                          check=False, env=dict(os.environ, PHX_RUNTIME_DIR="/run/phalanx"))


def keys_of(text):
    return [json.loads(line)["key"] for line in text.splitlines()]


def test_values(cluster):
    assert "cluster.lanes (i64) = 1\n" in expect(cluster, FINE, "list", "cluster.")
    for kind, value in (("i8", "-128"), ("u8", "255"), ("i16", "-1"), ("u16", "65535"),
                        ("i32", "-7"), ("u32", "7"), ("i64", "-9"), ("u64", str(2**64 - 1)),
                        ("float", "0.5"), ("double", "-2.25"), ("string", "two words"),
                        ("binary", "00ff")):
        expect(cluster, FINE, "set", "app." + kind, "--type", kind, "--", value)
        assert f"({kind}) = {value}\n" in expect(cluster, FINE, "get", "app." + kind)
    names = keys_of(expect(cluster, FINE, "--json", "list", "app."))
    assert names == sorted(names) and len(names) == 12, names


def test_mistakes(cluster):
    expect(cluster, FAILED, "get", "app.none")
    expect(cluster, FAILED, "delete", "app.none")
    expect(cluster, USAGE, "get", "ab")
    expect(cluster, USAGE, "get", "app.what?")
    expect(cluster, USAGE, "get", "a" * 256)
    expect(cluster, USAGE, "set", "app.big", "--type", "u8", "256")
    expect(cluster, USAGE, "set", "app.big", "x" * 16384)
    expect(cluster, PERMISSION, "set", "cluster.lanes", "--type", "i64", "2")
    expect(cluster, PERMISSION, "delete", "cluster.lanes")
    expect(cluster, PERMISSION, "set", "runtime.mine", "1")
    expect(cluster, PERMISSION, "--map", "stats", "set", "stats.mine", "1")
    expect(cluster, USAGE, "set", "app.x", "--type", "u128", "1")


def test_users(cluster):
    """Who may attach may make keys; a key belongs to the user who made it."""
    refused = other_user("set", "app.u32", "--type", "u32", "8")
    assert refused.returncode == PERMISSION, refused
    assert "u32) = 7\n" in expect(cluster, FINE, "get", "app.u32")
    assert "another user" in refused.stderr or "may not" in refused.stderr, refused
    assert other_user("set", "theirs.x", "1").returncode == FINE
    expect(cluster, FINE, "set", "theirs.x", "2")  # Root may.


def test_watch(cluster):
    output = cluster.directory / "watch.out"
    with open(output, "wb") as out:
        watcher = subprocess.Popen([program("phalanx"), "--instance", "n1", "map", "watch", "w."],
                                   stdout=out, stderr=out)
    wait_until("the watcher tracks", lambda: "(u64) = 1\n" in phx_map(
        cluster, "--map", "stats", "get", "stats.map.trackers")[1])
    expect(cluster, FINE, "set", "w.a", "one")
    expect(cluster, FINE, "set", "w.a", "two")
    expect(cluster, FINE, "set", "v.a", "not watched")
    expect(cluster, FINE, "delete", "w.a")
    told = ["add w.a (string) = one", "modify w.a (string) = two, was one", "delete w.a, was two"]
    wait_until("the changes are told", lambda: output.read_text().splitlines() == told)
    return watcher


def test_program(cluster):
    """Two count at once: every addition counts, and each is told of its own last one."""
    runs = [subprocess.Popen([os.environ["PHX_EXAMPLE_COUNTERS"], name, "500", "n1"],
                             stdout=subprocess.PIPE, text=True) for name in ("one", "one", "two")]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], outputs
    assert "(u64) = 1000\n" in expect(cluster, FINE, "get", "counters.one")
    assert "(u64) = 500\n" in expect(cluster, FINE, "get", "counters.two")


def test_statistics(cluster):
    text = expect(cluster, FINE, "--map", "stats", "list")
    for word in ("stats.lane.0.received", "stats.peer.", "stats.dataplane.longest_gap_ms",
                 "stats.map.keys"):
        assert word in text, text


def supervised(cluster):
    """{pid: state} of what is supervised on this host, as the map says."""
    lines = [json.loads(line) for line in
             expect(cluster, FINE, "--json", "list", "resources.process.").splitlines()]
    return {int(one["key"].split(".")[2]): one["value"] for one in lines
            if one["key"].endswith(".state")}


def test_supervision(cluster):
    """A supervised program's state is in the map for as long as it lives."""
    supervisor = subprocess.Popen([program("phalanx"), "--instance", "n1", "supervise",
                                   "--with-map", "--delay", "20ms", "--", "sleep", "600"],
                                  stderr=subprocess.DEVNULL)
    wait_until("it runs", lambda: list(supervised(cluster).values()) == ["running"])
    first, = supervised(cluster)
    os.kill(first, signal.SIGKILL)
    wait_until("the next one runs", lambda: first not in supervised(cluster)
               and list(supervised(cluster).values()) == ["running"])
    supervisor.terminate()
    supervisor.wait(20)
    assert supervised(cluster) == {}, supervised(cluster)


def test():
    cluster = Cluster(nodes=2, extra=f"[client]\nuids = [0, {NOBODY}]\n")
    cluster.wait_whole()
    test_values(cluster)
    test_mistakes(cluster)
    test_users(cluster)
    watcher = test_watch(cluster)
    test_program(cluster)
    test_statistics(cluster)
    test_supervision(cluster)
    cluster.signal_controlplane(1, signal.SIGKILL)
    assert watcher.wait(20) == NOT_RUNNING
    assert phx_map(cluster, "list")[0] == NOT_RUNNING


sandbox.run(test, limit_s=90)
