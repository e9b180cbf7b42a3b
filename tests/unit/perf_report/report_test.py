"""perf/report: the page of given results, its pictures, and what it says of files that are none."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parents[3]
REPORT = ROOT / "perf/report"
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "perf"))
from pictures import chart  # noqa: E402


def figure(*runs):
    return {"unit": "msg/s", "more_is_better": True, "median": sorted(runs)[len(runs) // 2],
            "min": min(runs), "max": max(runs), "runs": list(runs)}


def result(load, points, **more):
    return {"version": 1, "program": "phalanx-perf", "benchmark": "group",
            "parameters": {"transport": "udp", "load": load, "senders": "1", **more},
            "environment": {"time": "2026-01-01T00:00:00Z", "kernel": "6<1", "load": 0.5},
            "points": points, "trouble": ""}


def point(rate, nodes=3, size=64, p999=50_000, asked=None):
    curve = [[0.0, 1000], [0.5, 5000], [0.99, 20_000], [0.999, p999]]
    latency = {"count": 10_000, "p50": 5000, "p90": 9000, "p99": 20_000, "p999": p999,
               "max": 2 * p999, "curve": curve}
    # As of a flood, unless it tells a rate that was asked for.
    at = {"nodes": nodes, "size": size} | ({"rate": asked} if asked else {})
    return {"at": at,
            "figures": {"messages_per_s": figure(rate, 1.1 * rate, 0.9 * rate)},
            "latency_ns": {"own_delivery": latency}}


class Report(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                (pathlib.Path(folder) / name).write_text(content, encoding="utf-8")
            out = pathlib.Path(folder) / "page.html"
            done = subprocess.run([REPORT, "--out", out, folder], capture_output=True, text=True,
                                  check=False)
            return done, out.read_text(encoding="utf-8") if out.exists() else ""

    def page(self, *results):
        done, page = self.run_on({f"{i}.json": json.dumps(r) for i, r in enumerate(results)})
        self.assertEqual(done.returncode, 0, done.stderr)
        return page

    def test_draws_rates_percentiles_sizes_nodes_and_spread(self):
        page = self.page(
            result("open", [point(1e4, asked=1e4), point(1e5, asked=1e5, p999=400_000)]),
            result("flood", [point(1e6), point(4e5, size=1400), point(9e5, nodes=5)]))
        for caption in ("rate against p99.9", "group: own delivery", "size sweep: messages",
                        "node sweep: messages", "runs off their median"):
            self.assertIn(caption, page)
        for picture in re.findall(r"<svg.*?</svg>", page, re.S):
            xml.fromstring(picture)  # Well-formed, or no viewer shows it.

    def test_needs_nothing_from_elsewhere_and_escapes_what_it_shows(self):
        page = self.page(result("flood", [point(1e6)]))
        self.assertNotRegex(page, r"https?://|<script|<link|@import|url\(")
        self.assertIn("6&lt;1", page)

    def test_says_when_results_are_of_different_hosts_or_wrong(self):
        other = result("flood", [point(1e6)])
        other["environment"]["kernel"] = "7"
        other["trouble"] = "clients delivered in different orders"
        page = self.page(result("flood", [point(1e6)]), other)
        self.assertIn("different environments", page)
        self.assertIn("WRONG: clients", page)

    def test_a_file_that_is_no_result_is_named(self):
        for content in ("{", "[]", '{"version": 1}', '{"version": 2, "program": "phalanx-perf"}'):
            done, _ = self.run_on({"odd.json": content})
            self.assertEqual(done.returncode, 1)
            self.assertIn("odd.json", done.stderr)

    def test_a_wrong_command_line_is_told(self):
        for words in ([], ["--what"], [tempfile.gettempdir() + "/perf-report-none/../"]):
            done = subprocess.run([REPORT, *words], capture_output=True, text=True, check=False)
            self.assertIn(done.returncode, (1, 2), words)
            self.assertIn("error", done.stderr)
        for words in (["--what"], ["--transport", "pigeon"], ["--transport"]):
            done = subprocess.run([ROOT / "perf/sweep", *words], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 2, words)


class Chart(unittest.TestCase):
    def test_labels_do_not_cover_one_another(self):
        placed = sorted(chart.spread_labels([100.0] * 6 + [10.0, chart.HEIGHT]))
        for above, below in zip(placed, placed[1:]):
            self.assertGreaterEqual(below - above, chart.LABEL_GAP - 1e-9)

    def test_axes_hold_their_values(self):
        for kind, values in (("log", [0.5, 3e7]), ("linear", [2, 8]), ("log", [5, 5])):
            axis = chart.Axis("x", values, kind)
            self.assertTrue(all(-1e-9 <= axis.place(v) <= 1 + 1e-9 for v in values))
            self.assertGreaterEqual(len(axis.ticks), 1)


unittest.main()
