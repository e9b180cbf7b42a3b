"""phalanx-perf aead, ring, core, environment: what they print, and of a wrong command line."""

import json
import subprocess
import sys
import unittest

PERF = sys.argv.pop(1)
SHORT = ["--runs", "2", "--seconds", "0.1"]


def measured(*words):
    done = subprocess.run([PERF, "--json", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class Parts(unittest.TestCase):
    def check_result(self, result, benchmark, points):
        self.assertEqual(result["benchmark"], benchmark)
        self.assertEqual(result["trouble"], "")
        self.assertGreater(result["environment"]["cores"], 0)
        self.assertEqual(len(result["points"]), points)

    def check_figure(self, point, name):
        figure = point["figures"][name]
        self.assertEqual(len(figure["runs"]), 2)
        self.assertGreater(figure["min"], 0)
        self.assertTrue(figure["min"] <= figure["median"] <= figure["max"], figure)

    def test_aead_tells_of_every_cipher_and_size(self):
        result = measured("aead", "--sizes", "64,1376", *SHORT)
        ciphers = {point["at"]["cipher"] for point in result["points"]}
        self.check_result(result, "aead", 2 * len(ciphers))
        self.assertIn("insecure", ciphers)
        for point in result["points"]:
            self.check_figure(point, "seal_ns")
            self.check_figure(point, "open_ns")

    def test_ring_tells_of_rate_and_round_trips(self):
        for placement in ("two-cores", "same-core", "free"):
            result = measured("ring", "--sizes", "64", "--placement", placement, *SHORT)
            self.check_result(result, "ring", 1)
            point = result["points"][0]
            self.check_figure(point, "records_per_s")
            trips = point["latency_ns"]["round_trip"]
            self.assertGreater(trips["count"], 0)
            self.assertLessEqual(trips["p50"], trips["p99"])

    def test_core_tells_of_nodes_sizes_and_senders(self):
        result = measured("core", "--sizes", "64", "--nodes", "2,3", *SHORT)
        self.check_result(result, "core", 4)
        for point in result["points"]:
            self.check_figure(point, "message_a_node_ns")
            # Counted everywhere, or not at all where the processor does not tell.
            self.assertIn(len(point["figures"]["message_a_node_instructions"]["runs"]), (0, 2))

    def test_text_has_a_line_a_figure(self):
        done = subprocess.run([PERF, "core", "--sizes", "64", "--nodes", "2", *SHORT],
                              capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.count("in 2 runs"),
                         done.stdout.count("message_a_node") -
                         done.stdout.count("not to be had here"))

    def test_environment_alone(self):
        host = measured("environment")
        self.assertIn("kernel", host)
        self.assertGreater(host["yield_ns"], 0)
        self.assertIsNotNone(host["switch_ns"])
        self.assertGreater(host["switch_ns"], 0)
        if host["cores"] > 1:
            self.assertIsNotNone(host["line_round_trip_ns"])
            self.assertGreater(host["line_round_trip_ns"], 0)

    def test_a_wrong_command_line_is_told(self):
        for words in (["aead", "--sizes", "0"], ["aead", "--sizes", "64,"], ["aead", "--runs", "0"],
                      ["ring", "--placement", "nowhere"], ["ring", "--sizes", "9999999"],
                      ["core", "--nodes", "1"], ["core", "--sizes", "eight"], ["core", "--what"]):
            done = subprocess.run([PERF, *words], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("error:", done.stderr)


unittest.main()
