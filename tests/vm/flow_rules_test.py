"""What the kernel must have a part in: net_tap's rules for queues, and 802.1Q at the other end."""

import os
import sys

from nics import few_drivers

few_drivers("net_ring", "net_tap", "net_af_packet")  # The program itself needs the first one.
os.environ["PHX_TEST_TAP"] = "1"
os.execv(sys.argv[1], [sys.argv[1], "--gtest_filter=Tap.*:AfPacket.*VirtualLan"])
