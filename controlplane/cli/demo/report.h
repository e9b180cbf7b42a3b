#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace phalanx::cli {

/// What the demo found. The JSON's shape is stable ("version": 1).
struct DemoReport {
  struct Latency {
    double p50_us = 0;
    double p99_us = 0;
    double p999_us = 0;
    double max_us = 0;
  };
  struct Fault {
    std::string kind;
    std::uint64_t node = 0;
    double view_ms = 0;    ///< From the signal to the new view at the last survivor.
    double gap_ms = 0;     ///< Longest time without a delivery at any survivor.
    double rejoin_ms = 0;  ///< From the signal to the node's client receiving again.
  };

  std::string transport;
  std::string transport_why;
  bool encrypted = true;
  std::uint64_t nodes = 0;
  std::uint64_t senders = 0;
  std::uint64_t size_bytes = 0;
  double seconds = 0;
  std::uint64_t sent = 0;                ///< All messages of the run that were accepted.
  std::vector<std::uint64_t> delivered;  ///< All that were delivered at each node.
  double rate_msgs_per_s = 0;            ///< Delivered at every node, in the phase without faults.
  Latency latency;
  bool agree = false;
  std::string order_hash;
  std::vector<Fault> faults;
  double cpu_us_per_msg_per_node = 0;
  double rss_mb_per_node = 0;
  bool ok = false;
  std::vector<std::string> findings;  ///< What was compared and how it came out, for people.
};

[[nodiscard]] std::string report_json(const DemoReport& report);
[[nodiscard]] std::string report_text(const DemoReport& report);

}  // namespace phalanx::cli
