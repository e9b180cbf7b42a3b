#include "controlplane/cli/demo/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "controlplane/cli/output.h"

namespace phalanx::cli {
namespace {

/// Three digits behind the point: more would only be noise.
double rounded(double value) { return std::round(value * 1000) / 1000; }

}  // namespace

std::string report_json(const DemoReport& r) {
  using nlohmann::ordered_json;
  ordered_json faults = ordered_json::array();
  for (const DemoReport::Fault& fault : r.faults) {
    faults.push_back({{"kind", fault.kind},
                      {"node", fault.node},
                      {"view_ms", rounded(fault.view_ms)},
                      {"gap_ms", rounded(fault.gap_ms)},
                      {"rejoin_ms", rounded(fault.rejoin_ms)}});
  }
  const ordered_json out = {{"version", 1},
                            {"transport", r.transport},
                            {"encrypted", r.encrypted},
                            {"nodes", r.nodes},
                            {"senders", r.senders},
                            {"size_bytes", r.size_bytes},
                            {"seconds", rounded(r.seconds)},
                            {"sent", r.sent},
                            {"delivered", r.delivered},
                            {"rate_msgs_per_s", std::round(r.rate_msgs_per_s)},
                            {"latency_us",
                             {{"p50", rounded(r.latency.p50_us)},
                              {"p99", rounded(r.latency.p99_us)},
                              {"p999", rounded(r.latency.p999_us)},
                              {"max", rounded(r.latency.max_us)}}},
                            {"order", {{"agree", r.agree}, {"hash", r.order_hash}}},
                            {"faults", faults},
                            {"cpu_us_per_msg_per_node", rounded(r.cpu_us_per_msg_per_node)},
                            {"rss_mb_per_node", rounded(r.rss_mb_per_node)},
                            {"ok", r.ok}};
  return out.dump() + "\n";
}

std::string report_text(const DemoReport& r) {
  std::string out;
  for (const std::string& finding : r.findings) out += finding + "\n";
  const double bytes_per_s = r.rate_msgs_per_s * static_cast<double>(r.size_bytes);
  out += "rate        " + short_number(r.rate_msgs_per_s) + " messages/s at every node (" +
         fixed(bytes_per_s / 1e6, 1) + " MB/s), " + std::to_string(r.size_bytes) + " B, " +
         std::to_string(r.senders) + (r.senders == 1 ? " sender\n" : " senders\n");
  out += "latency     p50 " + fixed(r.latency.p50_us, 1) + "  p99 " + fixed(r.latency.p99_us, 1) +
         "  p99.9 " + fixed(r.latency.p999_us, 1) + "  max " + fixed(r.latency.max_us, 1) +
         " us, own delivery, one outstanding\n";
  for (const DemoReport::Fault& fault : r.faults) {
    out += "fault       " + fault.kind + " n" + std::to_string(fault.node) + ": new view after " +
           fixed(fault.view_ms, 1) + " ms, longest gap " + fixed(fault.gap_ms, 1) +
           " ms, back after " + fixed(fault.rejoin_ms, 1) + " ms\n";
  }
  out += "processor   " + fixed(r.cpu_us_per_msg_per_node, 3) + " us a message a node\n";
  out += "memory      " + fixed(r.rss_mb_per_node, 1) + " MB a node (resident, both daemons)\n";
  out += painted(r.ok ? "ok" : "FAILED", r.ok ? Tone::Good : Tone::Bad) + "\n";
  return out;
}

}  // namespace phalanx::cli
