"""The flight recorder of real nodes, read while they live and after they died of SIGKILL and
SIGSEGV, and what is left of a file that was scribbled on and cut."""

import json
import os
import select
import signal
import subprocess

from harness import sandbox
from harness.cluster import Cluster, program, wait_until


def events(cluster, node, *words):
    done = cluster.phalanx(node, "recorder", *words, "--json", check=True)
    return json.loads(done.stdout)


def kinds(told):
    return {event["kind"] for event in told["events"]}


def dies_of(cluster, number):
    """The events of the data plane of n3 that a signal killed are all there."""
    cluster.wait_whole()
    view = cluster.status(3)["view"]["sequence"]
    pid = cluster.signal_dataplane(3, number)
    wait_until("the data plane is started again",
               lambda: cluster.dataplane_pid(3) not in (0, pid))
    wait_until("its file was put aside",
               lambda: pid in [r["pid"] for r in events(cluster, 3, "dump")["recorders"]
                               if r["file"].endswith("worker.ring.1")])
    dead = cluster.phalanx(3, "recorder", "dump", "--json", "--file",
                           recorder(cluster, 3, "worker.ring.1"), check=True)
    told = json.loads(dead.stdout)
    assert told["recorders"][0]["spoilt"] <= 1, told["recorders"]  # The one in the making.
    assert {"started", "frozen", "installed", "barrier-done"} <= kinds(told), kinds(told)
    assert "stopped" not in kinds(told)
    assert view in {event["view"] for event in told["events"]}
    assert told["events"][-1]["time"].startswith("20"), told["events"][-1]


def recorder(cluster, node, name):
    return f"/run/phalanx/n{node}/recorder/{name}"


def filters(cluster):
    lanes = events(cluster, 1, "show", "--subsystem", "lane", "--lane", "0")
    assert {event["subsystem"] for event in lanes["events"]} == {"lane"}
    newest = events(cluster, 1, "show", "--last", "3")["events"]
    assert len(newest) == 3
    reached = [event for event in lanes["events"] if event["kind"] == "progress"][-1]["fields"]
    inside = events(cluster, 1, "show", "--range", f"{reached['from']}..{reached['to']}")
    assert "progress" in kinds(inside) and "started" not in kinds(inside)
    assert events(cluster, 1, "show", "--until", "1h")["events"] == []
    about = events(cluster, 1, "show", "--node", "3", "--subsystem", "membership")
    assert "heard" in kinds(about), kinds(about)
    assert cluster.phalanx(1, "recorder", "show", "--range", "5").returncode == 2
    assert cluster.phalanx(1, "recorder", "show", "--since", "yesterday").returncode == 2


def follows(cluster, stream):
    reader = subprocess.Popen([program("phalanx"), "--instance", "n1", "recorder", "follow",
                               "--json"], stdout=subprocess.PIPE, text=True)
    while not select.select([reader.stdout], [], [], 0.2)[0]:
        stream.more(20)  # From its first line on it follows.
    pid = cluster.signal_dataplane(2, signal.SIGKILL)
    seen = []
    for line in reader.stdout:
        seen.append(json.loads(line))
        if seen[-1]["kind"] == "left" and seen[-1]["node"] == 2:
            break
    reader.send_signal(signal.SIGINT)
    assert reader.wait(10) == 0
    assert "attempt-started" in {event["kind"] for event in seen}, seen
    wait_until("it is back", lambda: cluster.dataplane_pid(2) not in (0, pid))
    cluster.wait_whole()


def scribbled_on(cluster):
    path = cluster.directory / "spoilt.ring"
    whole = bytearray(open(recorder(cluster, 3, "worker.ring.1"), "rb").read())
    count = len(events(cluster, 3, "dump", "--file", recorder(cluster, 3, "worker.ring.1"))
                ["events"])
    for slot in (0, 2, 5):
        whole[4096 + 64 * slot + 20] ^= 0x55
    path.write_bytes(whole[:-6400])
    done = cluster.phalanx(3, "recorder", "dump", "--json", "--file", str(path), check=True)
    told = json.loads(done.stdout)
    assert "3 events are spoilt, 6400 bytes are missing" in done.stderr, done.stderr
    assert count - 103 <= len(told["events"]) <= count - 3, (count, len(told["events"]))
    path.write_bytes(b"\xff" * 4096 + whole[4096:])
    done = cluster.phalanx(3, "recorder", "dump", "--file", str(path), check=True)
    assert "header is spoilt" in done.stderr and len(done.stdout.splitlines()) == count - 3
    path.write_bytes(os.urandom(100000))
    assert cluster.phalanx(3, "recorder", "dump", "--file", str(path)).returncode == 1


def why(cluster):
    """n3 is killed: what n1 tells comes from all three, and in one order."""
    cluster.wait_whole()
    before = cluster.status(1)["view"]["sequence"]
    pid = cluster.signal_dataplane(3, signal.SIGKILL)
    wait_until("n3 is back", lambda: cluster.dataplane_pid(3) not in (0, pid))
    cluster.wait_whole()
    told = json.loads(cluster.phalanx(1, "why", "n3", "--json", check=True).stdout)
    assert told["not_heard"] == [], told["not_heard"]
    assert told["view"] > before and told["view_before"] >= before, told
    assert told["members"] == "n1 n2" and [loss["node"] for loss in told["left"]] == [3]
    assert "its data plane died" in told["left"][0]["rule"], told["left"]
    assert {install["node"] for install in told["installed"]} == {1, 2}
    times = [line["time_ns"] for line in told["story"]]
    assert times == sorted(times)
    texts = [(line["by"], line["text"]) for line in told["story"]]
    assert (3, f"its data plane (pid {pid}) is dead") in texts, texts
    starts = [i for i, (_, text) in enumerate(texts) if "starts attempt" in text]
    follows_ = [i for i, (_, text) in enumerate(texts) if "freezes its lanes" in text]
    installs = [i for i, (_, text) in enumerate(texts) if text.startswith("is in view")]
    assert starts and follows_ and installs and starts[0] < follows_[0] < installs[-1], texts
    text = cluster.phalanx(2, "why", "3", check=True).stdout
    assert "n3 left: its data plane died" in text, text
    assert cluster.phalanx(1, "why", "n9").returncode == 2


def replays(cluster):
    """What went into each node's membership and lanes, through all of this, decides the same."""
    for node in cluster.nodes:
        path = cluster.directory / f"n{node}.tape"
        cluster.phalanx(node, "recorder", "save", str(path), check=True)
        done = subprocess.run([program("phalanx-sim"), "--replay-file", str(path), "--json"],
                              capture_output=True, text=True, check=False)
        said = json.loads(done.stdout)
        assert done.returncode == 0 and said["same"] and said["steps"] > 100, said
        assert said["spoilt"] == 0 and said["lane_spoilt"] == 0, said
        # Its lanes froze for each view that it came into, installed it, and ordered the stream.
        assert said["lane_installs"] >= 1 and said["lane_steps"] > 200, said
    assert cluster.phalanx(1, "recorder", "save", str(path)).returncode == 1  # It is there.
    whole = bytearray(path.read_bytes())
    whole[64 + 16 + 200] ^= 1
    path.write_bytes(whole[:1 << 20])
    assert subprocess.run([program("phalanx-sim"), "--replay-file", str(path)],
                          capture_output=True, check=False).returncode == 1


def test():
    cluster = Cluster(nodes=3)
    cluster.subscribe_all("words")
    stream = cluster.stream(1, "words", "pub1")
    stream.more()
    for number in (signal.SIGKILL, signal.SIGSEGV):
        dies_of(cluster, number)
    cluster.wait_whole()
    filters(cluster)
    follows(cluster, stream)
    scribbled_on(cluster)
    why(cluster)
    replays(cluster)
    stream.finish()


sandbox.run(test)
