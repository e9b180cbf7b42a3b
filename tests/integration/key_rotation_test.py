"""Rotation of the cluster key: over the whole cluster, under load, no message lost.

Four nodes are configured, each with a key file of its own. One that is down, or has the old key
only, is named and nothing changes. One whose processes die in the middle comes back, whatever the
phase. "device": two nodes and a quorum device, which takes part.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import check, sandbox
from harness.cluster import SLOW, Cluster, program, wait_until


def key(cluster, node, *words):
    return subprocess.run(
        [program("phalanx"), "--instance", f"n{node}", "key", *words], capture_output=True,
        text=True, timeout=100 * SLOW, check=False)


def states(cluster, node):
    done = key(cluster, node, "status", "--json")
    assert done.returncode in (0, 4), done
    return {one["node"]: one for one in json.loads(done.stdout)["nodes"]}


def key_file(cluster, node):
    return cluster.directory / f"key{node}" / "cluster.key"


def next_file(cluster, node):
    return key_file(cluster, node).with_name("cluster.key.next")


def make_next(cluster, at, nodes):
    """The next key is made at one node and copied to the others, as an operator would."""
    done = subprocess.run([program("phalanx"), "key", "generate", "--next",
                           str(key_file(cluster, at))], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done
    for node in nodes:
        if node != at:
            shutil.copy2(next_file(cluster, at), next_file(cluster, node))


def one_key(cluster, nodes, key_id):
    """All of them have this key, and nothing else; the old one is nowhere."""
    known = states(cluster, nodes[0])
    for node in nodes:
        assert known[node]["answers"] and known[node]["phase"] == "one key", known[node]
        assert known[node]["key"]["id"] == key_id and known[node]["next"] is None, known[node]
        assert known[node]["view_key_id"] == key_id, known[node]
        assert f"id {key_id}\n" in key_file(cluster, node).read_text(), node
        assert not next_file(cluster, node).exists()
    assert len({known[node]["key"]["fingerprint"] for node in nodes}) == 1


def view_of(cluster, node):
    return cluster.status(node)["view"]["id"]


def refusals(cluster):
    """Each leaves everything as it was."""
    view = view_of(cluster, 1)
    refused = key(cluster, 1, "rotate")
    assert refused.returncode == 1 and "no next key" in refused.stderr, refused
    make_next(cluster, 1, [1, 2, 4])
    refused = key(cluster, 1, "rotate")
    assert refused.returncode == 1, refused
    assert "n3: has the old key only" in refused.stderr, refused.stderr
    assert "n4: does not answer" in refused.stderr, refused.stderr
    assert "n2" not in refused.stderr, refused.stderr
    told = key(cluster, 2, "status")
    assert told.returncode == 4 and re.search(r"n3 +one key", told.stdout), told
    assert re.search(r"n4 .*does not answer", told.stdout), told
    # Another key under the same number.
    make_next(cluster, 3, [3])
    refused = key(cluster, 1, "rotate")
    assert "n3: has another next key" in refused.stderr, refused.stderr
    # An older one.
    next_file(cluster, 3).write_text(key_file(cluster, 3).read_text())
    refused = key(cluster, 1, "rotate")
    assert "n3: " in refused.stderr and "not above" in refused.stderr, refused.stderr
    shutil.copy2(next_file(cluster, 1), next_file(cluster, 3))
    known = states(cluster, 1)
    assert {known[node]["phase"] for node in (1, 2, 3)} == {"ready"}, known
    assert {known[node]["key"]["id"] for node in (1, 2, 3)} == {1}, known
    assert view_of(cluster, 1) == view, "a new view"


def crash_in_the_middle(cluster):
    """While a rotation runs, both processes of a member die. Whatever its phase, it comes back."""
    make_next(cluster, 1, cluster.nodes)
    running = subprocess.Popen([program("phalanx"), "--instance", "n1", "key", "rotate"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    cluster.signal_controlplane(3, signal.SIGKILL)
    cluster.signal_dataplane(3, signal.SIGKILL)
    time.sleep(0.05)
    cluster.start(3, config(cluster, 3))
    out, err = running.communicate(timeout=100 * SLOW)
    print(f"with a node that died in the middle: exit {running.returncode}, {err.strip()[-300:]}")
    cluster.wait_whole()
    if running.returncode != 0:  # It died before it had answered: nothing had changed yet.
        wait_until("the rotation is over everywhere", lambda: again(cluster), 60)
    one_key(cluster, [1, 2, 3, 4], 3)


def again(cluster):
    known = states(cluster, 1)
    if all(one["answers"] and one["phase"] == "one key" and one["key"]["id"] == 3
           for one in known.values()):
        return True
    return key(cluster, 1, "rotate").returncode == 0


def config(cluster, node):
    return cluster.directory / f"n{node}.toml"


def start_all(cluster, nodes, tables=""):
    for node in cluster.nodes:
        directory = key_file(cluster, node).parent
        directory.mkdir(mode=0o700)
        shutil.copy2(cluster.key, key_file(cluster, node))
        config(cluster, node).write_text(
            cluster.config_text(tables, key=key_file(cluster, node)), encoding="utf-8")
    for node in nodes:
        cluster.start(node, config(cluster, node))
    for node in nodes:
        wait_until(f"n{node} is in a view of {len(nodes)}", lambda n=node: len(
            (cluster.status(n).get("view") or {"members": []})["members"]) == len(nodes))


def test():
    cluster = Cluster(nodes=4, start=False)
    start_all(cluster, [1, 2, 3])
    refusals(cluster)

    cluster.start(4, config(cluster, 4))
    cluster.wait_whole()
    subscribers = cluster.subscribe_all("words")
    streams = [cluster.stream(node, "words", name) for node, name in ((1, "one"), (4, "four"))]
    for stream in streams:
        stream.more(2000)
    pids = [cluster.dataplane_pid(node) for node in cluster.nodes]
    began = time.monotonic()
    done = key(cluster, 2, "rotate")
    assert done.returncode == 0, done
    print(f"rotation over four nodes under load: {time.monotonic() - began:.2f} s")
    print(done.stderr, done.stdout, sep="")
    assert "hold" in done.stderr or "watch" in done.stderr, "no progress was shown"
    one_key(cluster, [1, 2, 3, 4], 2)
    for stream in streams:
        stream.more(2000)
        stream.finish()
    for subscriber in subscribers:
        for stream in streams:
            subscriber.wait_for(stream.sent[-1])
        check.complete(subscriber, *streams)
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))
    for subscriber in subscribers:
        check.no_duplicates(subscriber)
    assert pids == [cluster.dataplane_pid(node) for node in cluster.nodes], "one was restarted"
    status = cluster.status(1)
    assert not status["rejections"], status["rejections"]

    crash_in_the_middle(cluster)

    # Without a node that is down, by order. It is kept out, and named, until it gets the key.
    cluster.signal_controlplane(4, signal.SIGKILL)
    cluster.signal_dataplane(4, signal.SIGKILL)
    cluster.wait_degraded([1, 2, 3])
    make_next(cluster, 1, [1, 2, 3])
    done = key(cluster, 1, "rotate", "--force")
    assert done.returncode == 0, done
    one_key(cluster, [1, 2, 3], 4)
    cluster.start(4, config(cluster, 4))
    wait_until("n4 runs", lambda: cluster.status(4).get("dataplane", {}).get("running"))
    wait_until("n1 names n4", lambda: any(
        one["node"] == 4 and one["reason"] == "cluster_key"
        for one in cluster.status(1)["rejections"]))
    assert not states(cluster, 1)[4]["answers"]
    cluster.signal_controlplane(4, signal.SIGTERM)
    cluster.controlplanes[4].wait(20 * SLOW)
    shutil.copy2(key_file(cluster, 1), key_file(cluster, 4))
    cluster.start(4, config(cluster, 4))
    cluster.wait_whole()
    one_key(cluster, [1, 2, 3, 4], 4)
    assert key(cluster, 3, "status").returncode == 0

    log = "".join(path.read_text(errors="replace") for path in cluster.directory.glob("n*.log"))
    secrets = [line.split()[1] for node in cluster.nodes
               for line in key_file(cluster, node).read_text().splitlines()
               if line.startswith("key ")]
    assert not any(secret in log for secret in secrets), "the key was told"


DEVICE = "10.77.1.9"


def test_device():
    """The quorum device takes part, or there is no rotation."""
    cluster = Cluster(nodes=2, start=False)
    subprocess.run(["ip", "addr", "add", f"{DEVICE}/24", "dev", "mgmt"], check=True)
    tables = f'[quorum.device]\naddress = "{DEVICE}:5407"\n'
    start_all(cluster, [1, 2], tables)
    at_device = cluster.directory / "device" / "cluster.key"
    at_device.parent.mkdir(mode=0o700)
    shutil.copy2(cluster.key, at_device)
    own = cluster.directory / "device.toml"
    own.write_text(cluster.config_text(tables, key=at_device), encoding="utf-8")
    with open(cluster.directory / "device.log", "ab") as log:
        arbiter = subprocess.Popen(
            [program("phalanx-arbiter"), "--config", str(own), "--instance", "n1",
             "--state-directory", str(at_device.parent)], stdout=log, stderr=log)
    cluster.wait_whole()

    make_next(cluster, 1, [1, 2])
    refused = key(cluster, 1, "rotate")
    assert refused.returncode == 1 and "quorum device does not know" in refused.stderr, refused
    known = states(cluster, 1)
    assert {one["key"]["id"] for one in known.values()} == {1}, known
    assert {one["phase"] for one in known.values()} == {"holds both"}, known
    shutil.copy2(next_file(cluster, 1), at_device.with_name("cluster.key.next"))
    # From another node: it waits a little for the one that led the first.
    wait_until("n2 may lead one", lambda: key(cluster, 2, "rotate").returncode == 0, 30)
    one_key(cluster, [1, 2], 2)
    wait_until("the device has the new key only", lambda: "id 2\n" in at_device.read_text(), 30)
    cluster.wait_whole()  # It answers.
    arbiter.kill()
    arbiter.wait(10)


sandbox.run(test_device if sys.argv[1:] == ["device"] else test, limit_s=150)
