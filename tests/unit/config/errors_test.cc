#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/unit/config/support.h"

namespace phalanx::config {
namespace {

TEST(Errors, UnknownKeyIsNamedWithItsPlaceAndTheOneMeant) {
  EXPECT_EQ(errors_of("[client]\nrings = \"1MiB\"\n"),
            "t.toml:4:1: error: unknown key client.rings\n"
            "  allowed: ring, slow_policy, throttle_max, uids, gids, max, shared_log, "
            "shared_uids, shared_gids\n"
            "  remedy:  did you mean client.ring?\n");
}

TEST(Errors, UnknownTableIsNamedOnce) {
  EXPECT_EQ(errors_of("[clients]\nring = \"1MiB\"\nmax = 3\n"),
            "t.toml:3:2: error: unknown table clients\n"
            "  allowed: node, cluster, transport, lane, client, worker, metrics, log, quorum\n"
            "  remedy:  did you mean client?\n");
}

// Whoever can reach the port learns all that phalanx status says.
TEST(Errors, MetricsStayOnTheHost) {
  EXPECT_EQ(errors_of("[metrics]\nlisten = \"10.0.0.1:9464\"\n"),
            "t.toml:4:10: error: metrics.listen = \"10.0.0.1:9464\" is not on the loopback "
            "interface\n  allowed: an address of 127.0.0.0/8, or ::1\n  remedy:  listen on "
            "127.0.0.1 and let an agent of this host, or a proxy with a password, carry it "
            "further\n");
}

TEST(Errors, UnknownKeyFarFromAllGetsNoGuess) {
  EXPECT_EQ(errors_of("[log]\nzzzzzzzz = 1\n"),
            "t.toml:4:1: error: unknown key log.zzzzzzzz\n"
            "  allowed: level, targets, file, subsystems\n"
            "  remedy:  take it out; `phalanx config explain` says what there is\n");
}

TEST(Errors, BareNumberWhereAUnitIsNeeded) {
  EXPECT_EQ(errors_of("[cluster]\ndead_after = 50\n"),
            "t.toml:4:14: error: cluster.dead_after = 50 is not a time with its unit, in quotes\n"
            "  allowed: \"5ms\" to \"1min\" (units: ns, us, ms, s, min)\n"
            "  remedy:  say the unit: cluster.dead_after = \"50ms\", if that is meant\n");
}

TEST(Errors, WrongUnit) {
  EXPECT_EQ(errors_of("[lane]\nwindow = \"512KB\"\n"),
            "t.toml:4:10: error: lane.window = \"512KB\" has the unknown unit \"KB\"\n"
            "  allowed: \"16KiB\" to \"256MiB\" (units: B, KiB, MiB, GiB)\n"
            "  remedy:  did you mean \"512KiB\"?\n");
}

TEST(Errors, OutOfRange) {
  EXPECT_EQ(errors_of("[cluster]\nlanes = 9\n"),
            "t.toml:4:9: error: cluster.lanes = 9 is too large\n  allowed: 1 to 8\n"
            "  remedy:  take one that is allowed, or leave the line out for 1\n");
  EXPECT_EQ(errors_of("[client]\nring = \"100KiB\"\n"),
            "t.toml:4:8: error: client.ring = \"100KiB\" is not a power of two\n"
            "  allowed: \"64KiB\" to \"64MiB\", a power of two (units: B, KiB, MiB, GiB)\n"
            "  remedy:  take one that is allowed, or leave the line out for \"1MiB\"\n");
}

TEST(Errors, WrongWord) {
  EXPECT_EQ(errors_of("[worker]\nidle = \"adaptiv\"\n"),
            "t.toml:4:8: error: worker.idle = \"adaptiv\" is not one of the words allowed\n"
            "  allowed: \"busy\", \"adaptive\", \"sleep\"\n"
            "  remedy:  did you mean \"adaptive\"?\n");
}

// Plaintext must be asked for by its word; a flag would be set by mistake.
TEST(Errors, InsecureIsAWordAndNotAFlag) {
  EXPECT_EQ(errors_of("[cluster]\nencryption = false\n"),
            "t.toml:4:14: error: cluster.encryption = false is not a word in quotes\n"
            "  allowed: \"aes-256-gcm\", \"insecure\"\n"
            "  remedy:  take one that is allowed, or leave the line out for \"aes-256-gcm\"\n");
}

// Whoever reads an error at night has to know what to do next.
TEST(Errors, EachSaysWhatIsAllowedAndHowToMendIt) {
  for (const std::string_view text : {
           "[lane]\nlog = \"3furlongs\"\n",
           "[lane]\nlog = 3.5\n",
           "[cluster]\ndead_after = \"1ms\"\n",
           "[cluster]\nname = \"\"\n",
           "[cluster]\nhold_min = \"1s\"\nhold_max = \"1ms\"\n",
           "[node]\nstate_directory = \"here\"\n",
           "[client]\nuids = [-1]\n",
           "[transport]\nmulticast = \"10.0.0.1:1\"\n",
           "[transport]\nmulticast = \"[ff02::1]:1\"\n",
           "[[cluster.nodes]]\nid = \"2\"\naddress = \"fd00::1:5405\"\n",
           "[[cluster.nodes]]\nid = 2\nname = \"a b\"\naddress = \"0.0.0.0:5405\"\n",
       }) {
    const auto result = parse_with(text);

    ASSERT_FALSE(result.has_value()) << text;
    for (const ConfigError& error : result.error().errors) {
      EXPECT_NE(error.line, 0u) << error.text();
      EXPECT_FALSE(error.allowed.empty()) << error.text();
      EXPECT_FALSE(error.remedy.empty()) << error.text();
    }
  }
}

TEST(Errors, AllOfOneFileAtOnceInTheOrderOfItsLines) {
  EXPECT_EQ(errors_of("[lane]\nlogs = \"1MiB\"\n[cluster]\nlanes = 0\n[log]\nlevel = 3\n"),
            "t.toml:4:1: error: unknown key lane.logs\n"
            "  allowed: log, window, submit_window, groups\n"
            "  remedy:  did you mean lane.log?\n"
            "t.toml:6:9: error: cluster.lanes = 0 is too small\n"
            "  allowed: 1 to 8\n"
            "  remedy:  take one that is allowed, or leave the line out for 1\n"
            "t.toml:8:9: error: log.level = 3 is not a word in quotes\n"
            "  allowed: \"error\", \"warn\", \"info\", \"debug\"\n"
            "  remedy:  take one that is allowed, or leave the line out for \"info\"\n");
}

TEST(Errors, SyntaxIsReportedAlone) {
  const std::string text = errors_of("[lane\nlog = \"1MiB\"\n");
  EXPECT_EQ(text.substr(0, 13), "t.toml:3:6: e") << text;
  EXPECT_EQ(text.find("error:"), text.rfind("error:")) << text;
}

TEST(Errors, TwoNodesWithOneId) {
  EXPECT_EQ(errors_of("[[cluster.nodes]]\nid = 1\nname = \"b\"\naddress = \"127.0.0.1:1\"\n"),
            "t.toml:8:6: error: two nodes have the id 1\n"
            "  allowed: another id for each node\n"
            "  remedy:  the other one is at line 4\n");
}

TEST(Errors, TwoNodesWithOneAddress) {
  EXPECT_EQ(errors_of("[[cluster.nodes]]\nid = 2\naddress = \"127.0.0.1:5405\"\n"),
            "t.toml:8:11: error: two nodes have the address 127.0.0.1:5405\n"
            "  allowed: another address for each node\n"
            "  remedy:  the other one is at line 5\n");
}

TEST(Errors, NodeNotInItsOwnList) {
  const auto result = parse("[node]\nid = 7\n" + std::string(kNode), "t.toml",
                            {.instance = "", .check_key_file = false});
  EXPECT_EQ(errors_of(result),
            "t.toml:2:6: error: node.id = 7 is not in cluster.nodes\n"
            "  allowed: 1 (n1)\n"
            "  remedy:  add a [[cluster.nodes]] entry with id = 7, or mend node.id\n");
}

TEST(Errors, NodeWithoutAddressOrWithAStrangeKey) {
  EXPECT_EQ(errors_of("[[cluster.nodes]]\nid = 2\nadress = \"127.0.0.1:1\"\n"),
            "t.toml:3:1: error: this node has no address\n"
            "  allowed: \"10.0.0.1:5405\" or \"[fd00::1]:5405\"\n"
            "  remedy:  add a line address = ...\n"
            "t.toml:5:1: error: unknown key cluster.nodes.adress\n"
            "  allowed: id, name, address, second, management, votes\n"
            "  remedy:  did you mean cluster.nodes.address?\n");
}

TEST(Errors, NoNodesAtAll) {
  const auto result =
      parse("[node]\nid = 1\n", "t.toml", {.instance = "", .check_key_file = false});
  EXPECT_EQ(errors_of(result),
            "t.toml: error: cluster.nodes is missing\n"
            "  allowed: a [[cluster.nodes]] table for each node\n"
            "  remedy:  phalanx config init prints a file to start from\n");
}

TEST(Errors, OneNodeMoreThanTablesHold) {
  std::string nodes;
  for (int id = 2; id <= 65; ++id) {
    nodes += "[[cluster.nodes]]\nid = " + std::to_string(id) + "\naddress = \"127.0.1." +
             std::to_string(id) + ":5405\"\n";
  }

  const std::string said = errors_of(nodes);

  EXPECT_NE(said.find("cluster.nodes holds 65 nodes"), std::string::npos) << said;
  EXPECT_EQ(errors_of(nodes.substr(0, nodes.rfind("[["))).find("holds"), std::string::npos);
}

TEST(Errors, ALogHoldsWhatMayBeInFlightWhateverItsKeySays) {
  const auto log_with = [](const std::string& more) { return parse_with(more).value().lane.log; };
  EXPECT_EQ(log_with("[lane]\nlog = \"2MiB\"\n"), 4U << 20);
  EXPECT_EQ(log_with("[lane]\nwindow = \"2MiB\"\n"), 8U << 20);
  EXPECT_EQ(log_with("[cluster]\nmax_message = \"4MiB\"\n"), 16U << 20);
  EXPECT_EQ(log_with("[lane]\nlog = \"32MiB\"\n"), 32U << 20);
}

TEST(Errors, TimesInTheWrongOrder) {
  EXPECT_EQ(errors_of("[cluster]\nstall_after = \"10ms\"\n"),
            "t.toml:4:15: error: cluster.stall_after (10ms) is shorter than cluster.dead_after "
            "(50ms)\n  allowed: cluster.stall_after of at least cluster.dead_after\n"
            "  remedy:  raise cluster.stall_after, or lower cluster.dead_after\n");
}

TEST(Errors, AddressesOfTwoFamilies) {
  EXPECT_EQ(errors_of("[[cluster.nodes]]\nid = 2\naddress = \"[::1]:5405\"\n"),
            "t.toml:8:11: error: cluster.nodes.address = \"127.0.0.1:5405\" is of another family\n"
            "  allowed: all addresses of the data path IPv4, or all IPv6\n"
            "  remedy:  give every node an address of one family\n");
}

TEST(Errors, FileThatIsNotThere) {
  EXPECT_EQ(errors_of(load("/nonexistent/p.toml")),
            "/nonexistent/p.toml: error: open: No such file or directory (ENOENT)\n"
            "  remedy:  name a file with --config, or make one: phalanx config init\n");
}

/// A file of this test's own, removed at the end.
class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "phx-key-XXXXXX";
    const int fd = mkstemp(path_.data());
    ASSERT_GE(fd, 0);
    close(fd);
  }
  void TearDown() override { std::remove(path_.c_str()); }

  std::string errors(mode_t mode) {
    chmod(path_.c_str(), mode);
    return errors_of(
        parse("[node]\nid = 1\n[cluster]\nkey_file = \"" + path_ + "\"\n" + std::string(kNode),
              "t.toml"));
  }

  std::string path_;
};

TEST_F(KeyFile, ReadableByOthersIsRefused) {
  EXPECT_EQ(errors(0644), "t.toml:4:12: error: cluster.key_file = \"" + path_ +
                              "\" is open to others (mode 0644)\n"
                              "  allowed: a regular file that only its owner may read\n"
                              "  remedy:  chmod 600 " +
                              path_ + "\n");
}

TEST_F(KeyFile, ReadableByItsOwnerOnlyIsTaken) { EXPECT_EQ(errors(0600), ""); }

TEST_F(KeyFile, ThatIsNotThereIsRefusedWithTheCommandThatMakesIt) {
  std::remove(path_.c_str());
  const std::string text = errors(0600);
  EXPECT_NE(text.find("No such file or directory"), std::string::npos) << text;
  EXPECT_NE(text.find("remedy:  phalanx key generate " + path_), std::string::npos) << text;
}

TEST_F(KeyFile, IsNotNeededWithoutEncryption) {
  std::remove(path_.c_str());
  EXPECT_EQ(errors_of(parse("[node]\nid = 1\n[cluster]\nencryption = \"insecure\"\nkey_file = \"" +
                                path_ + "\"\n" + std::string(kNode),
                            "t.toml")),
            "");
}

}  // namespace
}  // namespace phalanx::config
