#include "transport/dpdk/eal_arguments.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace phalanx::transport::dpdk {
namespace {

bool holds(const EalArguments& arguments, const std::string& word) {
  return std::ranges::find(arguments.words, word) != arguments.words.end();
}

TEST(EalArguments, TouchNoPciDeviceUnlessOneIsConfigured) {
  const auto without = eal_arguments({.instance = "n1", .cpu = {}, .pci = {}, .extra = {}});
  const auto with = eal_arguments(
      {.instance = "n1", .cpu = {}, .pci = {"0000:3b:00.0", "0000:3b:00.1"}, .extra = {}});

  ASSERT_TRUE(without && with);
  EXPECT_TRUE(holds(*without, "--no-pci"));
  EXPECT_FALSE(holds(*with, "--no-pci"));
  EXPECT_TRUE(holds(*with, "--allow=0000:3b:00.1"));
  EXPECT_TRUE(holds(*with, "--allow=0000:3b:00.0"));
}

TEST(EalArguments, LeaveNoFilesBehind) {
  const auto arguments = eal_arguments({.instance = "n1", .cpu = {}, .pci = {}, .extra = {}});

  ASSERT_TRUE(arguments);
  EXPECT_TRUE(holds(*arguments, "--in-memory"));
  EXPECT_TRUE(holds(*arguments, "--iova-mode=va"));
  EXPECT_TRUE(holds(*arguments, "--file-prefix=phalanx-n1"));
}

// EAL refuses --in-memory with --no-huge.
TEST(EalArguments, DoWithoutHugepagesWhenAskedTo) {
  const auto arguments =
      eal_arguments({.instance = "n1", .cpu = {}, .pci = {}, .extra = "--no-huge  -m 64"});

  ASSERT_TRUE(arguments);
  EXPECT_FALSE(arguments->hugepages);
  EXPECT_FALSE(holds(*arguments, "--in-memory"));
  EXPECT_TRUE(holds(*arguments, "--no-shconf"));
  EXPECT_TRUE(holds(*arguments, "-m") && holds(*arguments, "64"));
}

TEST(EalArguments, TakeMemoryFromTheWorkersNode) {
  const auto arguments = eal_arguments({.instance = "n1", .cpu = 7, .pci = {}, .extra = {}});

  ASSERT_TRUE(arguments);
  EXPECT_TRUE(holds(*arguments, "--lcores=0@7"));
}

TEST(EalArguments, RefuseWhatClashesAndNameIt) {
  for (const std::string word : {"-l", "-l0-3", "--lcores=0", "--vdev=net_null0", "-a", "--no-pci",
                                 "--file-prefix", "--proc-type=secondary", "--iova-mode=pa",
                                 "--legacy-mem", "--in-memory", "--huge-unlink=never"}) {
    const auto arguments =
        eal_arguments({.instance = "n1", .cpu = {}, .pci = {}, .extra = "-m 64 " + word});

    ASSERT_FALSE(arguments) << word;
    EXPECT_EQ(arguments.error().code, ExitCode::Usage);
    EXPECT_NE(arguments.error().observed.find(word), std::string::npos) << word;
    EXPECT_FALSE(arguments.error().remedy.empty());
  }
  EXPECT_TRUE(eal_arguments({.instance = "n1",
                             .cpu = {},
                             .pci = {},
                             .extra = "--log-level=lib.eal:debug --socket-mem 64"}));
}

TEST(EalArguments, KnowAPciAddressFromTheNameOfADevice) {
  EXPECT_TRUE(is_pci_address("0000:3b:00.0"));
  EXPECT_TRUE(is_pci_address("3b:00.1"));
  EXPECT_TRUE(is_pci_address("0000:3b:00.0,rx_vec_en=1"));
  EXPECT_FALSE(is_pci_address("memif"));
  EXPECT_FALSE(is_pci_address("net_af_packet0,iface=eth1"));
  EXPECT_FALSE(is_pci_address("0000:3b:00"));
}

}  // namespace
}  // namespace phalanx::transport::dpdk
