#include "controlplane/cli/status_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace phalanx::cli {
namespace {

using nlohmann::json;

/// Node 1 of two, all well.
json healthy() {
  return json::parse(R"({
    "version": 1, "instance": "n1", "cluster": "demo", "encrypted": true,
    "config_hash": "00000000000000ab", "node": 1, "name": "n1", "state": "operational",
    "configured": 2, "clients": 3, "groups": 1,
    "view": {"id": "7.1.00000000", "sequence": 7, "representative": 1,
             "members": [{"node": 1, "name": "n1"}, {"node": 2, "name": "n2"}]},
    "dataplane": {"running": true, "pid": 42, "boot": "00", "starts": 1},
    "link": {"interface": "data", "up": true},
    "lanes": [{"lane": 0, "view_sequence": 7, "orderer": 1, "received": 12345, "limit": 20000,
               "delivered": 99, "order_hash": "00000000000000cd"}],
    "peers": [{"node": 2, "name": "n2", "in_view": true, "heard_ms": 1.25, "progressed_ms": 0.5,
               "vouched_ms": null, "config_mismatch": false, "key_mismatch": false}],
    "rejections": []})");
}

TEST(Status, FirstLineSaysThatAllIsWell) {
  EXPECT_TRUE(is_well(healthy()));
  EXPECT_EQ(status_text(healthy()),
            "fine - operational, view 7, 2 of 2 nodes\n"
            "node n1 (1) of cluster demo, encrypted, 3 clients, 1 groups\n"
            "data plane 42, started 1 times; configuration 00000000000000ab\n"
            "\n"
            "peer  id  in view  heard ms  progress ms  vouched ms\n"
            "n2     2  yes           1.2          0.5           -\n"
            "\n"
            "lane  orderer  received   limit  delivered  order hash\n"
            "   0        1    12,345  20,000         99  00000000000000cd\n");
}

TEST(Status, SaysWhatCarriesTheFramesAndWhatWasLostThere) {
  json status = healthy();
  status["transport"] = {
      {"kind", "dpdk"}, {"port", "memif"}, {"driver", "net_memif"}, {"ports", 2}, {"ports_up", 1}};
  status["counters"] = {{"wire_overflow", 5}, {"wire_refused", 1234}, {"wire_tx_refused", 0}};

  EXPECT_NE(status_text(status).find("transport dpdk memif, net_memif, 1 of 2 ports up; lost 5, "
                                     "refused 1,234 in and 0 out\n"),
            std::string::npos)
      << status_text(status);
}

TEST(Status, HasARowForEachOfSeveralWorkers) {
  json status = healthy();
  status["workers"] = json::parse(R"([
    {"worker": 0, "lanes": [0, 2], "cpu": 4, "numa": null, "age_ms": 0.5, "recent_gap_ms": 0.1,
     "turns": 1000, "submitted": 7, "delivered": 8},
    {"worker": 1, "lanes": [1], "cpu": null, "numa": null, "age_ms": 0.5, "recent_gap_ms": 0.1,
     "turns": 2000, "submitted": 9, "delivered": 10}])");

  EXPECT_NE(
      status_text(status).find("worker  lanes  core  age ms  gap ms  turns  sent  delivered\n"
                               "     0    0,2     4     0.5     0.1  1,000     7          8\n"
                               "     1      1     -     0.5     0.1  2,000     9         10\n"),
      std::string::npos)
      << status_text(status);
}

// Where there is one node only nobody has to read of it.
TEST(Status, SaysOnWhichNodeAWorkersMemoryIsWhereThereAreSeveral) {
  json status = healthy();
  status["workers"] = json::parse(R"([
    {"worker": 0, "lanes": [0], "cpu": 4, "numa": 1, "age_ms": 0.5, "recent_gap_ms": 0.1,
     "turns": 1000, "submitted": 7, "delivered": 8}])");

  EXPECT_NE(status_text(status).find(
                "worker  lanes  core  numa  age ms  gap ms  turns  sent  delivered\n"
                "     0      0     4     1     0.5     0.1  1,000     7          8\n"),
            std::string::npos)
      << status_text(status);

  status["workers"][0]["numa"] = nullptr;
  EXPECT_EQ(status_text(status).find("numa"), std::string::npos);
}

TEST(Status, HasARowForEachOfTwoNetworks) {
  json status = healthy();
  status["transport"] = {{"kind", "dpdk"},
                         {"port", "0000:3b:00.0"},
                         {"driver", "net_e1000+udp"},
                         {"ports", 2},
                         {"ports_up", 2}};
  EXPECT_EQ(status_text(status).find("in use"), std::string::npos);
  const json one = {{"link", 0},      {"driver", "net_e1000"}, {"used", false},
                    {"heard", false}, {"rx_frames", 1234},     {"tx_frames", 5},
                    {"rx_lost", 6},   {"tx_refused", 7}};
  json other = one;
  other.update({{"link", 1}, {"driver", "udp"}, {"used", true}, {"heard", true}});
  status["transport"]["links"] = {one, other};

  EXPECT_NE(status_text(status).find(
                "link  driver     in use  all heard  received  sent  lost  refused\n"
                "   0  net_e1000  no      NO            1,234     5     6        7\n"
                "   1  udp        yes     yes           1,234     5     6        7\n"),
            std::string::npos)
      << status_text(status);
}

TEST(Status, SaysWhatBrokeLastBelowTheTransport) {
  json status = healthy();
  status["transport"] = {{"kind", "verbs"},
                         {"driver", "rxe0/1 mtu 1024"},
                         {"ports", 1},
                         {"ports_up", 1},
                         {"trouble", nullptr}};
  EXPECT_EQ(status_text(status).find("broken"), std::string::npos);

  status["transport"]["trouble"] = {
      {"what", "send completed with LOC_QP_OP_ERR, vendor error 0x81"},
      {"count", 3},
      {"ago_ms", 1200.5}};

  EXPECT_NE(
      status_text(status).find("transport last broken 1200.5 ms ago, 3 times since the "
                               "start: send completed with LOC_QP_OP_ERR, vendor error 0x81\n"),
      std::string::npos)
      << status_text(status);
}

TEST(Status, SaysHowFarApartTurnsWere) {
  json status = healthy();
  status["dataplane"]["longest_gap_ms"] = 12.5;
  status["dataplane"]["recent_gap_ms"] = 0.5;

  EXPECT_NE(
      status_text(status).find("turns at most 12.5 ms apart since the start, 0.5 ms lately\n"),
      std::string::npos)
      << status_text(status);
}

TEST(Status, FirstLineSaysWhatIsMissing) {
  json status = healthy();
  status["view"]["members"].erase(1);
  status["peers"][0]["in_view"] = false;
  status["peers"][0]["config_mismatch"] = true;

  EXPECT_FALSE(is_well(status));
  const std::string text = status_text(status);
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "degraded - operational, view 7, 1 of 2 nodes; n2 is not in the view (its "
            "configuration differs)");
}

TEST(Status, WithoutADataPlaneOrAViewIsDegraded) {
  json status = healthy();
  status["dataplane"] = {{"running", false}, {"pid", nullptr}, {"starts", 4}};
  status["view"] = nullptr;
  status["state"] = "starting";
  status["lanes"] = json::array();

  EXPECT_FALSE(is_well(status));
  EXPECT_EQ(status_text(status).substr(0, 60),
            "degraded - starting, no view, 0 of 2 nodes; the data plane i");
}

// The daemon may be of another version: less is shown, nothing breaks.
TEST(Status, OfAnEmptyAnswerIsDegradedAndPrintable) {
  EXPECT_FALSE(is_well(json::object()));
  EXPECT_NE(status_text(json::object()), "");
}

TEST(Groups, AreListedWithTheirMembers) {
  const json groups = json::parse(R"({"version": 1, "groups": [
    {"id": "01", "name": "words", "lane": 3, "members": [{"node": 1, "client": 2, "pid": 3},
                                                         {"node": 2, "client": 1, "pid": 9}]},
    {"id": "02", "name": "of an older daemon", "members": []}]})");

  EXPECT_EQ(groups_text(groups),
            "group               lane  members  who (node:client)\n"
            "words                  3        2  1:2 2:1\n"
            "of an older daemon     -        0\n");
  EXPECT_EQ(groups_text(json::parse(R"({"groups": []})")), "no groups\n");
}

}  // namespace
}  // namespace phalanx::cli
