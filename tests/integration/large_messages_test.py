"""Messages up to the largest that the configuration allows, among small ones, under loss."""

from harness import check, sandbox
from harness.client import numbered
from harness.cluster import SLOW, Cluster

LIMIT = 4 << 20


def test():
    # Throttling: the lane waits for readers, which a busy machine may hold up for long.
    cluster = Cluster(nodes=3, cluster='max_message = "4MiB"',
                      extra='[client]\nslow_policy = "throttle"\nthrottle_max = "10s"')
    subscribers = cluster.subscribe_all("words")
    for node in cluster.nodes:
        cluster.network.lose(node, percent=1)

    names = [f"large{n}-{i:06d}" for n in cluster.nodes for i in range(4)]
    sizes = [LIMIT, 1 << 20, 100_000, LIMIT - 1]
    lines = {n: [name + "." * (size - len(name)) for name, size in
                 zip([x for x in names if x.startswith(f"large{n}-")], sizes)]
             for n in cluster.nodes}
    large = [cluster.publish(n, "words", lines[n]) for n in cluster.nodes]
    small = [cluster.publish(n, "words", numbered(f"small{n}", 2000 // SLOW))
             for n in cluster.nodes]
    for publisher in large + small:
        publisher.finish()
    over = cluster.publish(1, "words", ["x" * (LIMIT + 1), "fits-000000"])
    assert over.process.wait(20 * SLOW) == 1, "a line over the limit must be told"
    assert "line 1" in over.text(), over.text()

    for subscriber in subscribers:
        subscriber.wait_for("fits-000000")
        check.complete(subscriber, *small)
        got = [line.split(" ", 1)[1] for line in subscriber.lines() if " large" in line]
        assert sorted(got) == sorted(line for n in cluster.nodes for line in lines[n])
    check.same(subscribers, lambda s: s.lines_from("ready-000000"))


sandbox.run(test, limit_s=90)
