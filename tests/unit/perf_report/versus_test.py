"""perf/versus-corosync: which figures its page compares, and what it says of a wrong command
line. The measurements themselves need both clusters and root."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import unittest
import unittest.mock as mock
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "perf"))
from versus_corosync import clusters, measure, page, plan  # noqa: E402

RATE = {"name": "64 B", "figure": "msgs_per_s", "unit": "msg/s", "more": True}
OWN = {"name": "own delivery", "figure": "p50_us", "unit": "us", "more": False}


affinity = os.sched_getaffinity


def cluster(family, secure, rate, p50):
    return {"family": family, "secure": secure, "command": "start <it>", "runs": {}, "median": {
        "64 B": {"msgs_per_s": rate, "mb_per_s": rate / 1e6, "cpu_us": 2.0, "fairness": 0.995},
        "own delivery": {"p50_us": p50, "p90_us": 2 * p50, "p99_us": 3 * p50, "p999_us": 4 * p50,
                         "max_us": 9 * p50}}}


def results():
    return {"machine": {"corosync": "3.1.7", "processor": "a <cpu>", "cores": 2, "kernel": "6",
                        "load": 0.1, "time": "2026-01-01T00:00:00Z"},
            "rounds": 3, "seconds": 2, "nodes": 3, "command": "perf/versus-corosync",
            "load_at_end": 0.2, "failures": ["corosync udp: \"why\" & how"],
            "shapes": [RATE, OWN],
            "clusters": {"phalanx dpdk": cluster("phalanx", True, 9e6, 4),
                         "phalanx dpdk open": cluster("phalanx", False, 10e6, 3),
                         "phalanx udp": cluster("phalanx", True, 8e6, 12),
                         "corosync knet aes256": cluster("corosync", True, 90e3, 300),
                         "corosync knet aes256, sched_rr": cluster("corosync", True, 45e3, 160),
                         "corosync knet open": cluster("corosync", False, 180e3, 100)}}


class Page(unittest.TestCase):
    def test_the_better_corosync_of_each_security_counts(self):
        rate, own = page.comparisons(results())
        self.assertEqual(rate["ours"], ("phalanx dpdk", 9e6))
        self.assertEqual(rate["secure"], ("corosync knet aes256", 90e3))
        self.assertEqual(own["secure"], ("corosync knet aes256, sched_rr", 160))
        self.assertAlmostEqual(rate["secure_ratio"], 100)
        self.assertAlmostEqual(rate["open_ratio"], 50)
        self.assertAlmostEqual(own["secure_ratio"], 40)

    def test_ratios_are_rounded_and_never_in_powers_of_ten(self):
        self.assertEqual([page.times(ratio) for ratio in (None, 0.337, 3.94, 22.4, 99.8, 1330.4)],
                         ["-", "0.34 x", "3.9 x", "22 x", "100 x", "1,330 x"])

    def test_the_price_of_encryption_is_told_of_the_same_cluster(self):
        every = results()["clusters"]
        self.assertEqual(page.price(results(), RATE, "phalanx dpdk", every["phalanx dpdk"]),
                         "10 %")
        self.assertEqual(page.price(results(), RATE, "corosync knet aes256",
                                    every["corosync knet aes256"]), "50 %")
        self.assertEqual(page.price(results(), RATE, "phalanx udp", every["phalanx udp"]), "-")

    def test_the_page_stands_alone_and_escapes_what_it_shows(self):
        text = page.render(results())
        self.assertNotRegex(text, r"https?://|<script|<link|@import|url\(")
        for part in ("a &lt;cpu&gt;", "start &lt;it&gt;", "why&quot; &amp; how", "0.995", "100 x"):
            self.assertIn(part, text)
        pictures = re.findall(r"<svg.*?</svg>", text, re.S)
        self.assertEqual(len(pictures), 2)
        for picture in pictures:
            xml.fromstring(picture)

    def test_a_shape_that_nobody_could_do_leaves_a_gap(self):
        found = results()
        for each in found["clusters"].values():
            del each["median"]["own delivery"]
        self.assertIn("own delivery", page.table(found))
        self.assertIn("own delivery", page.render(found))


class Plan(unittest.TestCase):
    def test_fairness_is_jains(self):
        self.assertAlmostEqual(measure.jain([5, 5, 5]), 1)
        self.assertAlmostEqual(measure.jain([9, 0, 0]), 1 / 3)
        self.assertEqual(measure.jain([0, 0]), 0)

    def test_every_shape_has_a_name_of_its_own(self):
        options = type("Options", (), {"seconds": 1, "nodes": 3, "quick": False})
        names = [shape[0] for shape in plan.shapes(options) + plan.shapes_of_many(options)]
        self.assertEqual(len(names), len(set(names)))
        options.quick = True
        self.assertLess(len(plan.shapes(options)), 10)

    def test_quick_has_corosync_in_its_better_ways(self):
        names = [name for name, _ in plan.contestants(None, 3, True)]
        for wanted in ("phalanx dpdk", "phalanx udp", "corosync knet aes256, sched_rr",
                       "corosync knet open", "corosync udp open"):
            self.assertIn(wanted, names)

    def test_what_was_measured_before_an_interrupt_is_kept(self):
        class Cluster:
            family, secure, command, stopped, pinned = "phalanx", True, "start", 0, 0

            def pin(self):
                Cluster.pinned += 1

            def stop(self):
                Cluster.stopped += 1

        def interrupted(_):
            raise KeyboardInterrupt

        work = [("64 B", "msgs_per_s", "msg/s", True, lambda _: {"msgs_per_s": 5.0}),
                ("own delivery", "p50_us", "us", False, interrupted)]
        options = argparse.Namespace(nodes=3, seconds=1, rounds=2, quick=True, pin=True)
        with mock.patch.multiple(plan, environment=lambda _: {}, shapes=lambda _: work,
                                 contestants=lambda *_: [("phalanx shm", Cluster)]):
            found = plan.run(None, options)
        self.assertEqual(found["clusters"]["phalanx shm"]["median"], {"64 B": {"msgs_per_s": 5.0}})
        self.assertIn("interrupted", found["failures"][-1])
        self.assertEqual((Cluster.stopped, Cluster.pinned), (1, 1))

    def test_pinned_the_first_node_has_the_fewest_others(self):
        class Sleepers(clusters.Cluster):
            def daemons(self, node=None):
                return [process.pid for n, process in nodes.items() if node in (None, n)]

        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2:
            self.skipTest("one processor")
        nodes = {n: subprocess.Popen(["sleep", "60"]) for n in (1, 2, 3)}
        try:
            cluster_of_three = Sleepers("sleepers", "phalanx", True, 3)
            with mock.patch.object(os, "sched_getaffinity", lambda _: set(allowed[:2])):
                cluster_of_three.bind(2, nodes[2].pid)  # Not pinned: left alone.
                before = len(affinity(nodes[2].pid))
                cluster_of_three.pin()
            self.assertEqual(before, len(allowed))
            self.assertEqual([affinity(nodes[n].pid) for n in (1, 2, 3)],
                             [{allowed[1]}, {allowed[0]}, {allowed[0]}])
        finally:
            for process in nodes.values():
                process.kill()
                process.wait()

    def test_a_wrong_command_line_is_told(self):
        for words in (["--nodes", "1"], ["--nodes", "17"], ["--rounds", "-1"], ["--what"],
                      ["--seconds", "0.01"]):
            done = subprocess.run([ROOT / "perf/versus-corosync", *words], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("usage:", done.stderr)


unittest.main()
