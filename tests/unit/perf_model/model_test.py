"""perf/model: the arithmetic of its projections, and what it says of a wrong command line."""

import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODEL = ROOT / "perf/model"
MEASURED = ROOT / "perf/model_data/xeon-2.6-ghz.json"


def load():
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("model", str(MODEL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("model", loader))
    loader.exec_module(module)
    return module


model = load()
FREE = {"orderer": (0.001, 0.0, 0.0), "receiver": (0.001, 0.0, 0.0)}


def wire(name):
    return next(one for one in model.WIRES if one[0] == name)


class Model(unittest.TestCase):
    def test_finds_what_the_figures_were_made_of(self):
        rows = [(1.0, frames, size) for frames in (0.1, 0.5, 2.0) for size in (64, 500, 9000)]
        found = model.solve(rows, [25 * m + 60 * f + 0.2 * b for m, f, b in rows])
        for got, wanted in zip(found, (25, 60, 0.2)):
            self.assertAlmostEqual(got, wanted, places=6)

    def test_no_cost_is_negative(self):
        rows = [(1.0, 1.0, 10), (1.0, 2.0, 10), (1.0, 3.0, 10)]
        self.assertTrue(all(c >= 0 for c in model.solve(rows, [30.0, 20.0, 10.0])))

    def test_a_wire_carries_no_more_than_its_packets(self):
        # 100 GbE passes 8.127 million packets of 1500 bytes a second: 1538 bytes each on the wire.
        size = 1424 - model.RECORD_HEADER  # One full frame a message.
        got = model.project(FREE, wire("100 GbE"), 2, size, 0.0)
        self.assertEqual(got["bound_by"], "wire")
        self.assertAlmostEqual(got["messages_a_second"] / 8.127e6, 1.0, delta=0.01)

    def test_lanes_add_up_until_the_wire_is_full(self):
        cost = model.costs(json.loads(MEASURED.read_text(encoding="utf-8")))
        one, many = (model.project(cost, wire("100 GbE"), 3, 64, 33.0, lanes) for lanes in (1, 8))
        self.assertEqual(one["bound_by"], "orderer")
        self.assertEqual(many["bound_by"], "wire")
        self.assertGreater(many["messages_a_second"], 5 * one["messages_a_second"])
        self.assertAlmostEqual(one["workers_to_fill_the_wire"], 5.7, delta=0.3)

    def test_more_nodes_cost_rows_only(self):
        cost = model.costs(json.loads(MEASURED.read_text(encoding="utf-8")))
        few, many = (model.project(cost, wire("100 GbE"), n, 64, 33.0)["messages_a_second"]
                     for n in (3, 64))
        self.assertLess(many, few)
        self.assertGreater(many, 0.9 * few)

    def test_as_a_program(self):
        done = subprocess.run([MODEL, "--measured", MEASURED, "--nodes", "3", "--json"],
                              capture_output=True, text=True, check=True)
        self.assertEqual(len(json.loads(done.stdout)["projections"]),
                         len(model.WIRES) * len(model.SIZES))
        for wrong in (["--lanes", "0"], ["--nodes", "1"], ["--driver-cycles", "-1"]):
            done = subprocess.run([MODEL, "--measured", MEASURED, *wrong], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 2, done)
        done = subprocess.run([MODEL, "--build", "/nowhere"], capture_output=True, text=True,
                              check=False)
        self.assertIn("build it", done.stderr)
        self.assertEqual(done.returncode, 1)


unittest.main()
