#include "transport/dpdk/devargs.h"

#include <gtest/gtest.h>

namespace phalanx::transport::dpdk {
namespace {

TEST(Devargs, GrowTheRingsFramesWithTheMtu) {
  EXPECT_EQ(completed_devargs("net_af_packet0,iface=a", 1500, 1), "net_af_packet0,iface=a");
  EXPECT_EQ(completed_devargs("net_af_packet0,iface=a", 9000, 1),
            "net_af_packet0,iface=a,framesz=10240,blocksz=40960,framecnt=512");
  EXPECT_EQ(completed_devargs("net_af_packet0,iface=a,framecnt=64", 9000, 1),
            "net_af_packet0,iface=a,framecnt=64,framesz=10240,blocksz=40960");
}

TEST(Devargs, KeepWhatSomebodyChose) {
  const std::string chosen = "net_af_packet0,iface=a,framesz=4096,blocksz=4096";
  EXPECT_EQ(completed_devargs(chosen, 3000, 1), chosen);
  EXPECT_EQ(completed_devargs("0000:3b:00.0", 9000, 1), "0000:3b:00.0");
}

TEST(Devargs, AskForAQueueForEachWorker) {
  EXPECT_EQ(completed_devargs("net_af_packet0,iface=a", 1500, 3),
            "net_af_packet0,iface=a,qpairs=3");
  EXPECT_EQ(completed_devargs("net_af_packet0,iface=a,qpairs=2", 1500, 3),
            "net_af_packet0,iface=a,qpairs=2")
      << "which is refused later, with both numbers";
  EXPECT_EQ(completed_devargs("net_af_xdp0,iface=a", 1500, 2), "net_af_xdp0,iface=a,queue_count=2");
  EXPECT_EQ(completed_devargs("0000:3b:00.0", 1500, 4), "0000:3b:00.0");
}

TEST(Devargs, AreReadByName) {
  EXPECT_EQ(device_number("net_x,framecnt=512,framesz=10240", "framesz"), 10240U);
  EXPECT_EQ(device_number("net_x,framesz=many", "framesz"), 0U);
  EXPECT_EQ(device_number("net_x,myframesz=7", "framesz"), 0U);
}

}  // namespace
}  // namespace phalanx::transport::dpdk
