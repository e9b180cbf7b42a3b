#include "controlplane/watch/health.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace phalanx::watch {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 12> kNames = {
    "dataplane_down", "worker_stalled", "order_divergence", "no_quorum",
    "link_down",      "link_silent",    "port_down",        "node_missing",
    "peer_link_down", "device_silent",  "clients_evicted",  "view_change"};

// What the daemon says is read with care: another version of it may say less.
json at(const json& from, const char* key) {
  const auto found = from.is_object() ? from.find(key) : from.end();
  return from.is_object() && found != from.end() ? *found : json();
}

std::string text_at(const json& from, const char* key) {
  const json value = at(from, key);
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "?" : value.dump();
}

double number_at(const json& from, const char* key) {
  const json value = at(from, key);
  return value.is_number() ? value.get<double>() : 0;
}

std::string rounded(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.0f", number);
  return text.data();
}

class Collector {
 public:
  explicit Collector(const json& status) : status_(status) {}

  std::vector<Condition> collect() {
    data_plane();
    lanes();
    quorum();
    wires();
    peers();
    evictions();
    const std::string state = text_at(status_, "state");
    if (out_.empty() && state != "operational") {
      add("view_change", "a view change is going on: " + state,
          "phalanx status again in a second; phalanx-controlplane's log");
    }
    return std::move(out_);
  }

 private:
  void add(std::string_view name, std::string what, std::string next) {
    out_.push_back({name, std::move(what), std::move(next)});
  }

  void data_plane() {
    const json plane = at(status_, "dataplane");
    if (at(plane, "running") != true) {
      return add("dataplane_down", "the data plane is down",
                 "phalanx-controlplane's log (journalctl -u phalanx-controlplane)");
    }
    const double limit = number_at(at(status_, "limits"), "stall_after_ms");
    if (limit <= 0) return;
    const std::string who =
        slowest(number_at(plane, "age_ms") > limit ? "age_ms" : "recent_gap_ms");
    if (number_at(plane, "age_ms") > limit) {
      add("worker_stalled",
          who + " has not turned for " + rounded(number_at(plane, "age_ms")) + " ms",
          "is it stopped, or its core taken? ps -o stat,psr,wchan -L -p " + text_at(plane, "pid"));
    } else if (number_at(plane, "recent_gap_ms") > limit) {
      add("worker_stalled",
          who + " was not scheduled for " + rounded(number_at(plane, "recent_gap_ms")) +
              " ms lately",
          "phalanx top; give it a core of its own (worker.cpu) or worker.scheduling = realtime");
    }
  }

  /// "the worker", or which of several.
  [[nodiscard]] std::string slowest(const char* by) const {
    const json workers = at(status_, "workers");
    if (workers.size() < 2) return "the worker";
    const auto less = [&](const json& a, const json& b) {
      return number_at(a, by) < number_at(b, by);
    };
    return "worker " + text_at(*std::max_element(workers.begin(), workers.end(), less), "worker");
  }

  void lanes() {
    for (const json& lane : at(status_, "lanes")) {
      const std::string name = "lane " + text_at(lane, "lane");
      if (at(lane, "poisoned") == true) {
        add("order_divergence", name + "'s log broke a rule here: this node must be left out",
            "restart this node's data plane, and report it with its log");
      } else if (number_at(lane, "divergences") > 0) {
        add("order_divergence",
            name + ": another node's order hash contradicted ours " +
                rounded(number_at(lane, "divergences")) + " times",
            "compare 'order hash' in phalanx status of all nodes, and report it");
      }
    }
  }

  void quorum() {
    const json quorum = at(status_, "quorum");
    if (quorum.is_object() && at(quorum, "quorate") != true) {
      add("no_quorum", "not quorate (" + text_at(quorum, "reason") + ")", "phalanx quorum");
    }
    const json device = at(quorum, "device");
    if (device.is_object() && at(device, "answers") == false) {
      add("device_silent", "the quorum device at " + text_at(device, "address") + " is silent",
          "phalanx-arbiter's log on its host");
    }
  }

  void wires() {
    const json link = at(status_, "link");
    if (at(link, "up") == false) {
      add("link_down", "link " + text_at(link, "interface") + " is down",
          "ip link show " + text_at(link, "interface"));
    }
    const json transport = at(status_, "transport");
    if (number_at(transport, "ports_up") < number_at(transport, "ports")) {
      add("port_down",
          text_at(transport, "ports_up") + " of " + text_at(transport, "ports") + " " +
              text_at(transport, "driver") + " ports are up",
          "cable, switch port, and the peers' phalanx status");
    }
    for (const json& one : at(transport, "links")) {
      if (at(one, "heard") != false) continue;
      add("link_silent",
          "a member is not heard over link " + text_at(one, "link") + " (" +
              text_at(one, "driver") + ")",
          "cable, switch and addresses of that network; phalanx status on the peers");
    }
  }

  void peers() {
    for (const json& peer : at(status_, "peers")) {
      const std::string name = text_at(peer, "name");
      if (at(peer, "in_view") == true) {
        if (at(peer, "link_up") == false) {
          add("peer_link_down", name + " says that its link is down", "ip link on " + name);
        }
        continue;
      }
      std::string what = name + " is not in the view";
      std::string next = "phalanx status on " + name;
      if (at(peer, "config_mismatch") == true) {
        what += " (its configuration differs)";
        next = "phalanx config show on both nodes";
      }
      if (at(peer, "key_mismatch") == true) {
        what += " (it holds another key)";
        next = "compare cluster.key_file of both nodes";
      }
      if (at(peer, "version_mismatch") == true) {
        what += " (it speaks another protocol version)";
        next = "phalanx version on both nodes";
      }
      add("node_missing", std::move(what), std::move(next));
    }
  }

  void evictions() {
    const json evicted = at(at(status_, "dataplane"), "evicted_ms");
    if (!evicted.is_number() || evicted.get<double>() > kLatelyMs) return;
    add("clients_evicted",
        "a client that read too slowly was evicted " + rounded(evicted.get<double>() / 1000) +
            " s ago",
        "phalanx top --view clients: whose queue is full?");
  }

  const json& status_;
  std::vector<Condition> out_;
};

}  // namespace

std::vector<Condition> conditions(const json& status) {
  std::vector<Condition> all = Collector(status).collect();
  const auto rank = [](const Condition& condition) {
    return std::ranges::find(kNames, condition.name) - kNames.begin();
  };
  std::ranges::stable_sort(all, {}, rank);
  return all;
}

json conditions_json(const json& status) {
  json list = json::array();
  for (const Condition& one : conditions(status)) {
    list.push_back({{"condition", one.name}, {"what", one.what}, {"next", one.next}});
  }
  return list;
}

std::span<const std::string_view> condition_names() noexcept { return kNames; }

bool is_ready(const json& status) {
  const json quorum = at(status, "quorum");
  const bool quorate = !quorum.is_object() || at(quorum, "quorate") == true;
  return text_at(status, "state") == "operational" && at(status, "view").is_object() &&
         at(at(status, "dataplane"), "running") == true && quorate;
}

}  // namespace phalanx::watch
