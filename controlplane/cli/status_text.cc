#include "controlplane/cli/status_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/cli/output.h"
#include "controlplane/cli/quorum_text.h"
#include "controlplane/watch/health.h"

namespace phalanx::cli {
namespace {

using nlohmann::json;

// What the daemon says is read with care: another version of it may say less.
json at(const json& from, const char* key) {
  const auto found = from.is_object() ? from.find(key) : from.end();
  return from.is_object() && found != from.end() ? *found : json();
}

std::string text_at(const json& from, const char* key, const std::string& otherwise = "?") {
  const json value = at(from, key);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fixed(value.get<double>(), 1);
  return value.is_null() ? otherwise : value.dump();
}

std::size_t number_at(const json& from, const char* key) {
  const json value = at(from, key);
  return value.is_number_unsigned() || value.is_number_integer() ? value.get<std::size_t>() : 0;
}

/// "fine - operational, view 17, 3 of 3 nodes", or what is wrong, and where to look below it.
std::string first_lines(const json& status, const std::vector<watch::Condition>& wrong) {
  const json view = at(status, "view");
  const std::size_t members = at(view, "members").size();
  std::string line = wrong.empty() ? painted("fine", Tone::Good) : painted("degraded", Tone::Bad);
  line += " - " + text_at(status, "state");
  line += view.is_null() ? ", no view" : ", view " + text_at(view, "sequence");
  line += ", " + std::to_string(members) + " of " + text_at(status, "configured") + " nodes";
  for (const watch::Condition& condition : wrong) line += "; " + condition.what;
  line += "\n";
  for (const watch::Condition& condition : wrong) {
    line += "  " + std::string(condition.name) + " -> next: " + condition.next + "\n";
  }
  return line;
}

std::string peers_table(const json& status) {
  Table table({"peer", "id", "in view", "heard ms", "progress ms", "vouched ms"});
  for (const json& peer : at(status, "peers")) {
    table.row({text_at(peer, "name"), text_at(peer, "node"),
               at(peer, "in_view") == true ? "yes" : "no", text_at(peer, "heard_ms", "-"),
               text_at(peer, "progressed_ms", "-"), text_at(peer, "vouched_ms", "-")});
  }
  return table.text();
}

/// Whether the memory of any comes from a NUMA node of its own.
bool any_placed(const json& workers) {
  return std::ranges::any_of(workers,
                             [](const json& worker) { return at(worker, "numa").is_number(); });
}

std::string workers_table(const json& workers) {
  const bool placed = any_placed(workers);
  std::vector<std::string> heads = {"worker", "lanes", "core"};
  if (placed) heads.emplace_back("numa");
  for (const char* head : {"age ms", "gap ms", "turns", "sent", "delivered"}) {
    heads.emplace_back(head);
  }
  Table table(std::move(heads));
  for (const json& worker : workers) {
    std::string lanes;
    for (const json& lane : at(worker, "lanes")) lanes += (lanes.empty() ? "" : ",") + lane.dump();
    std::vector<std::string> row = {text_at(worker, "worker"), lanes, text_at(worker, "cpu", "-")};
    if (placed) row.push_back(text_at(worker, "numa", "-"));
    for (const char* key : {"age_ms", "recent_gap_ms"}) row.push_back(text_at(worker, key, "-"));
    for (const char* key : {"turns", "submitted", "delivered"}) {
      row.push_back(grouped(number_at(worker, key)));
    }
    table.row(std::move(row));
  }
  return table.text();
}

std::string lanes_table(const json& status) {
  Table table({"lane", "orderer", "received", "limit", "delivered", "order hash"});
  for (const json& lane : at(status, "lanes")) {
    table.row({text_at(lane, "lane"), text_at(lane, "orderer"),
               grouped(number_at(lane, "received")), grouped(number_at(lane, "limit")),
               grouped(number_at(lane, "delivered")), text_at(lane, "order_hash")});
  }
  return table.text();
}

/// "turns at most 12.5 ms apart since the start, 0.2 ms lately": empty when the daemon says
/// nothing.
std::string gaps_line(const json& dataplane) {
  const std::string longest = text_at(dataplane, "longest_gap_ms", "");
  if (longest.empty()) return "";
  return "turns at most " + longest + " ms apart since the start, " +
         text_at(dataplane, "recent_gap_ms", "-") + " ms lately\n";
}

/// "last broken 1,200 ms ago, 3 times since the start: send completed with ...": empty when
/// nothing ever was.
std::string trouble_line(const json& transport) {
  const json trouble = at(transport, "trouble");
  if (!trouble.is_object()) return "";
  return "transport last broken " + text_at(trouble, "ago_ms", "-") + " ms ago, " +
         text_at(trouble, "count") + " times since the start: " + text_at(trouble, "what") + "\n";
}

/// "transport dpdk memif, net_memif, 2 of 2 ports up; lost 0, refused 0 in and 0 out".
std::string transport_line(const json& status) {
  const json transport = at(status, "transport");
  if (!transport.is_object()) return "";
  const json counters = at(status, "counters");
  const std::string port = text_at(transport, "port", "");
  return "transport " + text_at(transport, "kind") + (port.empty() ? "" : " " + port) + ", " +
         text_at(transport, "driver", "-") + ", " + text_at(transport, "ports_up") + " of " +
         text_at(transport, "ports") + " ports up; lost " +
         grouped(number_at(counters, "wire_overflow")) + ", refused " +
         grouped(number_at(counters, "wire_refused")) + " in and " +
         grouped(number_at(counters, "wire_tx_refused")) + " out\n" + trouble_line(transport);
}

/// A row for each of two networks; empty where there is one.
std::string links_table(const json& status) {
  const json links = at(at(status, "transport"), "links");
  if (!links.is_array() || links.empty()) return "";
  Table table({"link", "driver", "in use", "all heard", "received", "sent", "lost", "refused"});
  for (const json& link : links) {
    table.row({text_at(link, "link"), text_at(link, "driver"),
               at(link, "used") == true ? "yes" : "no", at(link, "heard") == true ? "yes" : "NO",
               grouped(number_at(link, "rx_frames")), grouped(number_at(link, "tx_frames")),
               grouped(number_at(link, "rx_lost")), grouped(number_at(link, "tx_refused"))});
  }
  return "\n" + table.text();
}

}  // namespace

bool is_well(const json& status) { return watch::conditions(status).empty(); }

std::string status_text(const json& status) {
  std::string out = first_lines(status, watch::conditions(status));
  out += "node " + text_at(status, "name") + " (" + text_at(status, "node") + ") of cluster " +
         text_at(status, "cluster") + ", " +
         (at(status, "encrypted") == true ? "encrypted" : "INSECURE") + ", " +
         text_at(status, "clients") + " clients, " + text_at(status, "groups") + " groups\n";
  out += "data plane " + text_at(at(status, "dataplane"), "pid", "-") + ", started " +
         text_at(at(status, "dataplane"), "starts") + " times; configuration " +
         text_at(status, "config_hash") + "\n";
  out += gaps_line(at(status, "dataplane"));
  out += transport_line(status) + links_table(status);
  if (at(status, "quorum").is_object()) out += quorum_line(at(status, "quorum")) + "\n";
  if (!at(status, "peers").empty()) out += "\n" + peers_table(status);
  if (const json workers = at(status, "workers"); workers.size() > 1 || any_placed(workers)) {
    out += "\n" + workers_table(workers);
  }
  if (!at(status, "lanes").empty()) out += "\n" + lanes_table(status);
  for (const json& rejection : at(status, "rejections")) {
    out += "\n" + text_at(rejection, "name") + " is kept out: its " + text_at(rejection, "reason") +
           " is " + text_at(rejection, "theirs") + ", ours is " + text_at(rejection, "mine") + "\n";
  }
  return out;
}

std::string groups_text(const json& groups) {
  const json list = at(groups, "groups");
  if (list.empty()) return "no groups\n";
  Table table({"group", "lane", "members", "who (node:client)"});
  for (const json& group : list) {
    std::string who;
    for (const json& member : at(group, "members")) {
      who += (who.empty() ? "" : " ") + text_at(member, "node") + ":" + text_at(member, "client");
    }
    table.row({escaped(text_at(group, "name")), text_at(group, "lane", "-"),
               std::to_string(at(group, "members").size()), who});
  }
  return table.text();
}

}  // namespace phalanx::cli
