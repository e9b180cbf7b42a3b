#include "controlplane/cli/status_text.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "controlplane/cli/output.h"
#include "controlplane/cli/quorum_text.h"

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

/// Why `is_well` is false, in words.
std::vector<std::string> complaints(const json& status) {
  std::vector<std::string> out;
  if (at(at(status, "dataplane"), "running") != true) out.emplace_back("the data plane is down");
  if (at(at(status, "link"), "up") == false) {
    out.push_back("link " + text_at(at(status, "link"), "interface") + " is down");
  }
  for (const json& peer : at(status, "peers")) {
    if (at(peer, "in_view") == true) continue;
    std::string line = text_at(peer, "name") + " is not in the view";
    if (at(peer, "config_mismatch") == true) line += " (its configuration differs)";
    if (at(peer, "key_mismatch") == true) line += " (it holds another key)";
    if (at(peer, "version_mismatch") == true) line += " (it speaks another protocol version)";
    out.push_back(std::move(line));
  }
  if (!is_quorate(at(status, "quorum"))) {
    out.push_back("not quorate (" + text_at(at(status, "quorum"), "reason") + ")");
  }
  const std::string state = text_at(status, "state");
  if (out.empty() && state != "operational") out.push_back("a view change is going on: " + state);
  return out;
}

std::string first_line(const json& status) {
  const json view = at(status, "view");
  const std::size_t members = at(view, "members").size();
  std::string line = is_well(status) ? painted("fine", Tone::Good) : painted("degraded", Tone::Bad);
  line += " - " + text_at(status, "state");
  line += view.is_null() ? ", no view" : ", view " + text_at(view, "sequence");
  line += ", " + std::to_string(members) + " of " + text_at(status, "configured") + " nodes";
  for (const std::string& complaint : complaints(status)) line += "; " + complaint;
  return line + "\n";
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
         grouped(number_at(counters, "wire_tx_refused")) + " out\n";
}

}  // namespace

bool is_well(const json& status) {
  const json members = at(at(status, "view"), "members");
  return text_at(status, "state") == "operational" &&
         at(at(status, "dataplane"), "running") == true && at(at(status, "link"), "up") != false &&
         members.is_array() && members.size() == number_at(status, "configured") &&
         is_quorate(at(status, "quorum"));
}

std::string status_text(const json& status) {
  std::string out = first_line(status);
  out += "node " + text_at(status, "name") + " (" + text_at(status, "node") + ") of cluster " +
         text_at(status, "cluster") + ", " +
         (at(status, "encrypted") == true ? "encrypted" : "INSECURE") + ", " +
         text_at(status, "clients") + " clients, " + text_at(status, "groups") + " groups\n";
  out += "data plane " + text_at(at(status, "dataplane"), "pid", "-") + ", started " +
         text_at(at(status, "dataplane"), "starts") + " times; configuration " +
         text_at(status, "config_hash") + "\n";
  out += gaps_line(at(status, "dataplane"));
  out += transport_line(status);
  if (at(status, "quorum").is_object()) out += quorum_line(at(status, "quorum")) + "\n";
  if (!at(status, "peers").empty()) out += "\n" + peers_table(status);
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
  Table table({"group", "members", "who (node:client)"});
  for (const json& group : list) {
    std::string who;
    for (const json& member : at(group, "members")) {
      who += (who.empty() ? "" : " ") + text_at(member, "node") + ":" + text_at(member, "client");
    }
    table.row({escaped(text_at(group, "name")), std::to_string(at(group, "members").size()), who});
  }
  return table.text();
}

}  // namespace phalanx::cli
