"""Data planes of two workers and four lanes: every group has one order, whatever worker turns its
lane, while a data plane is killed with SIGKILL under load and comes back; status names the workers.
Over UDP, "shm", "memif" (a mesh for each worker) or "af_packet" (a queue for each).
"""

import hashlib
import json
import pathlib
import signal
import sys

from harness import check, sandbox
from harness.cluster import Cluster, transport, wait_until

LANES = 4
WORKERS = "[worker]\ncount = 2\n"


def group_in(lane):
    """A name whose group lies in that lane: group ids are the first 8 bytes of SHA-256."""
    for i in range(1000):
        name = f"lane{lane}x{i}"
        if int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") % LANES == lane:
            return name
    raise AssertionError("no such name")


def status_names_both(cluster):
    for node in cluster.nodes:
        status = cluster.status(node)
        workers = status["workers"]
        assert [w["worker"] for w in workers] == [0, 1], workers
        assert [w["lanes"] for w in workers] == [[0, 2], [1, 3]], workers
        assert {w["view_sequence"] for w in workers} == {status["view"]["sequence"]}, status
        assert all(w["age_ms"] is not None and w["turns"] > 0 for w in workers), workers
        assert len(status["lanes"]) == LANES
    text = cluster.phalanx(1, "status", check=True).stdout
    for words in ("worker", "0,2", "1,3"):
        assert words in text, f"{words!r} is not in:\n{text}"
    top = json.loads(cluster.phalanx(1, "top", "--once", "--json", check=True).stdout)
    assert [row["worker"] for row in top["workers"]] == [0, 1], top


def threads_of(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [(task / "comm").read_text(encoding="utf-8").strip() for task in tasks]


def test():
    cluster = Cluster(nodes=3, cluster=f"lanes = {LANES}", extra=WORKERS + transport(sys.argv))
    victim, survivors = 3, [1, 2]
    names = threads_of(cluster.dataplane_pid(1))
    assert {"phx-worker", "phx-worker-1"} <= set(names), names
    groups = [group_in(lane) for lane in range(LANES)]
    subscribers = {group: cluster.subscribe_all(group) for group in groups}
    streams = {group: [cluster.stream(n, group, f"pub{n}{chr(ord('a') + i)}") for n in survivors]
               for i, group in enumerate(groups)}
    everyone = [stream for group in groups for stream in streams[group]]
    for stream in everyone:
        stream.more()
    status_names_both(cluster)

    old = cluster.signal_dataplane(victim, signal.SIGKILL)
    for stream in everyone:
        stream.more()
    wait_until("the data plane is started again",
               lambda: cluster.dataplane_pid(victim) not in (0, old))
    cluster.wait_whole()
    for stream in everyone:
        stream.more()
        stream.finish()
    for group in groups:
        cluster.publish(1, group, ["last-000000"]).finish()

    for group in groups:
        for subscriber in subscribers[group]:
            subscriber.wait_for("last-000000")
            check.no_duplicates(subscriber)
        first, second, again = subscribers[group]
        check.complete(first, *streams[group])
        check.same([first, second], lambda s: s.messages())
        mine, whole = again.messages(), first.messages()
        same = check.first_difference(list(reversed(mine)), list(reversed(whole)))
        assert same >= 100, f"only {same} messages of {group} after the return"
    status_names_both(cluster)


sandbox.run(test)
