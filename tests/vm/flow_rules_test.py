"""Rules for the queues of a NIC: the unit tests over net_tap, which has the kernel obey them."""

import os
import sys

from nics import few_drivers

few_drivers("net_ring", "net_tap")  # The program itself needs the first one.
os.environ["PHX_TEST_TAP"] = "1"
os.execv(sys.argv[1], [sys.argv[1], "--gtest_filter=Tap.*"])
