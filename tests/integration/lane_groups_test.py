"""Groups that the configuration puts into lanes: two workers, four lanes, and two groups that their
names alone would put elsewhere. Their records, and nobody else's, are in the lanes asked for, their
order holds over the death of a data plane, and nodes that do not agree on the lanes keep apart.
"""

import hashlib
import json
import signal

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import Cluster, wait_until

LANES = 4
WANTED = {"orders": 3, "audit.eu": 0}  # Of the second worker, and of the first.
LINES = 300


def table(lanes):
    return "[lane.groups]\n" + "".join(f'"{name}" = {lane}\n' for name, lane in lanes.items())


def by_name(group):
    """The lane of a group that the configuration does not name."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "little") % LANES


def records(cluster, node):
    return [lane["records"] for lane in cluster.status(node)["lanes"]]


def says_where_they_are(cluster, node):
    groups = json.loads(cluster.phalanx(node, "groups", "--json", check=True).stdout)["groups"]
    assert {group["name"]: group["lane"] for group in groups} == WANTED, groups
    top = json.loads(cluster.phalanx(node, "top", "--once", "--json", check=True).stdout)
    assert {row["group"]: row["lane"] for row in top["groups"]} == WANTED, top["groups"]
    text = cluster.phalanx(node, "groups", check=True).stdout.splitlines()
    assert any(line.split()[:2] == ["orders", "3"] for line in text), text


def cannot_be_reloaded(cluster, text):
    """A lane is an order: one that changes under way would be none."""
    others = text.replace('"orders" = 3', '"orders" = 1')
    assert others != text
    cluster.config.write_text(others, encoding="utf-8")
    told = cluster.phalanx(1, "reload", "--dry-run")
    assert told.returncode == 0 and "restart: lane.groups" in told.stdout, told
    cluster.config.write_text(text.replace('"orders" = 3', '"orders" = 4'), encoding="utf-8")
    bad = cluster.phalanx(1, "reload")
    assert bad.returncode == 1 and '"orders" = 4, and cluster.lanes = 4' in bad.stderr, bad


def test():
    assert all(by_name(name) != lane for name, lane in WANTED.items())
    extra = "[worker]\ncount = 2\n" + table(WANTED)
    cluster = Cluster(nodes=3, cluster=f"lanes = {LANES}", extra=extra, start=False)
    text = cluster.config.read_text(encoding="utf-8")
    stranger = cluster.directory / "stranger.toml"
    stranger.write_text(text.replace('"orders" = 3', '"orders" = 2'), encoding="utf-8")
    for node in (1, 2):
        cluster.start(node)
    cluster.start(3, stranger)
    for node in (1, 2):
        wait_until(f"n{node} keeps n3 out for its configuration", lambda n=node: any(
            peer["name"] == "n3" and peer["config_mismatch"] and not peer["in_view"]
            for peer in cluster.status(n).get("peers", [])))
    cluster.signal_controlplane(3, signal.SIGTERM)
    cluster.controlplanes[3].wait(20)
    wait_until("n3 has ended", lambda: cluster.dataplane_pid(3) == 0)
    cluster.start(3)
    cluster.wait_whole()

    before = records(cluster, 1)
    subscribers = {group: cluster.subscribe_all(group) for group in WANTED}
    publishers = {group: [cluster.publish(node, group, numbered(f"{group[0]}{node}", LINES))
                          for node in cluster.nodes] for group in WANTED}
    for group in WANTED:
        for publisher in publishers[group]:
            publisher.finish()
        for subscriber in subscribers[group]:
            for publisher in publishers[group]:
                subscriber.wait_for(publisher.sent[-1])
            check.complete(subscriber, *publishers[group])
        check.same(subscribers[group], lambda s: s.lines_from("ready-000000"))
    moved = [now - was for now, was in zip(records(cluster, 1), before)]
    for lane in range(LANES):
        # Messages of three nodes and a first one; the rest are joins and leaves.
        least, most = (3 * LINES + 1, 3 * LINES + 20) if lane in WANTED.values() else (0, 0)
        assert least <= moved[lane] <= most, f"lane {lane}: {moved}"
    for node in cluster.nodes:
        says_where_they_are(cluster, node)
    cannot_be_reloaded(cluster, text)
    cluster.config.write_text(text, encoding="utf-8")

    old = cluster.signal_dataplane(3, signal.SIGKILL)
    wait_until("n3's data plane is started again",
               lambda: cluster.dataplane_pid(3) not in (0, old))
    cluster.wait_whole()
    for group in WANTED:
        # The third came back with the data plane: its library was told the lanes anew.
        wait_until("n3's subscriber is a member again", lambda g=group: all(
            len(one["members"]) == 3 for one in json.loads(
                cluster.phalanx(1, "groups", "--json").stdout)["groups"] if one["name"] == g))
        last = cluster.publish(3, group, numbered("last", LINES))
        last.finish()
        for subscriber in subscribers[group]:
            subscriber.wait_for(last.sent[-1])
            check.complete(subscriber, last)
            check.no_duplicates(subscriber)
        check.same(subscribers[group][:2], lambda s: s.messages())
    says_where_they_are(cluster, 3)


sandbox.run(test)
