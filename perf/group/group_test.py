"""phalanx-perf group and idle on a real cluster: each load once and short, and wrong options."""

import json
import subprocess
import sys
import unittest

PERF = sys.argv.pop(1)
SHORT = ["--runs", "1", "--seconds", "0.2"]
PATIENT = ["--dead-after", "10000", "--stall-after", "60000"]


def measured(*words):
    done = subprocess.run([PERF, "--json", *words, *SHORT, *PATIENT], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)["points"]


class Group(unittest.TestCase):
    def check_rate(self, point):
        self.assertGreater(point["figures"]["messages_per_s"]["median"], 0)
        self.assertGreater(point["figures"]["daemon_cpu_us_a_message"]["median"], 0)

    def test_flood_at_every_size(self):
        points = measured("group", "--nodes", "2", "--sizes", "64,9000", "--senders", "1,2")
        self.assertEqual([point["at"]["size"] for point in points], [64, 9000])
        for point in points:
            self.check_rate(point)
            self.assertGreater(point["figures"]["fairness"]["median"], 0)
            self.assertEqual(point["latency_ns"], {})  # It would tell of the queue alone.

    def test_closed_has_so_many_outstanding(self):
        point, = measured("group", "--nodes", "2", "--load", "closed", "--outstanding", "4",
                          "--safe")
        self.check_rate(point)
        self.assertGreater(point["latency_ns"]["own_delivery"]["count"], 0)
        self.assertGreater(point["latency_ns"]["delivery_elsewhere"]["count"], 0)

    def test_open_tells_of_every_message_of_its_timetable(self):
        points = measured("group", "--nodes", "2", "--load", "open", "--rates", "500,2000",
                          "--senders", "1,2")
        for point, wanted in zip(points, (100, 400)):
            # However late a busy host made them, and those that it never let be sent.
            self.assertAlmostEqual(point["latency_ns"]["own_delivery"]["count"], wanted, delta=2)

    def test_one_node_is_a_group_as_well(self):
        point, = measured("group", "--nodes", "1", "--transport", "shm", "--apart", "--load",
                          "closed")
        self.check_rate(point)
        self.assertGreater(point["latency_ns"]["own_delivery"]["count"], 0)

    def test_round_trip_is_answered(self):
        point, = measured("group", "--nodes", "2", "--load", "round-trip", "--senders", "2")
        self.assertGreater(point["latency_ns"]["round_trip"]["count"], 0)

    def test_find_max_ends_at_a_rate_or_says_that_there_is_none(self):
        done = subprocess.run([PERF, "--json", "group", "--nodes", "2", "--find-max", "--p999",
                               "1ns", *SHORT, *PATIENT], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("not even", json.loads(done.stdout)["trouble"])

    def test_idle_costs_something(self):
        point, = measured("idle", "--nodes", "2")
        self.assertGreater(point["figures"]["dataplane_core_percent"]["median"], 0)
        self.assertGreater(point["figures"]["controlplane_rss_mb"]["median"], 0)

    def test_a_wrong_command_line_is_told(self):
        for words in (["--sizes", "15"], ["--senders", "4"], ["--senders", "0"],
                      ["--find-max", "--p999", "50"], ["--find-max", "--p999", "0us"],
                      ["--find-max", "--load", "closed"], ["--load", "sometimes"],
                      ["--load", "round-trip", "--senders", "1,2"], ["--rates", "0"],
                      ["--nodes", "1", "--load", "round-trip"], ["--pin", "--apart"]):
            done = subprocess.run([PERF, "group", *words], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("error:", done.stderr)
        done = subprocess.run([PERF, "idle", "--nodes", "1"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)


unittest.main()
