// What an administrator orders that concerns other nodes as well: reload, removal of a node.

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "config/diff.h"
#include "config/load.h"
#include "controlplane/daemon/daemon.h"
#include "controlplane/daemon/durable_file.h"
#include "controlplane/daemon/log.h"
#include "controlplane/daemon/notify.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {
namespace {

using nlohmann::json;

json usage(const std::string& what) { return admin_error(static_cast<int>(ExitCode::Usage), what); }

json error_json(const Error& error) {
  return admin_error(
      static_cast<int>(error.code),
      error.attempted + ": " + error.observed + (error.remedy.empty() ? "" : "; " + error.remedy));
}

/// Of the errors of a file the first, in one line.
std::string first_of(const config::ConfigErrors& errors) {
  const config::ConfigError& first = errors.errors.front();
  std::string text = first.file;
  if (first.line != 0) text += ":" + std::to_string(first.line);
  text += ": " + first.what;
  if (errors.errors.size() > 1) {
    text += " (and " + std::to_string(errors.errors.size() - 1) + " more: phalanx config check)";
  }
  return text;
}

}  // namespace

ClusterOrders::Hooks Daemon::order_hooks() {
  return {.read = [this] { return read_anew(); },
          .running = [this]() -> const config::Config& { return config_; },
          .apply = [this](const config::Config& wanted) { take_anew(wanted); },
          .send =
              [this](const wire::OrderWord& word) {
                return management_ != nullptr && management_->send_order(word);
              },
          .wake = [this](TimeNs at) { order_timer_.arm(at); },
          .removed = [this](NodeId by, const std::string& reason) { on_removed(by, reason); },
          .draw =
              [] {
                std::uint32_t drawn = 0;
                (void)!getrandom(&drawn, sizeof drawn, 0);
                return drawn;
              }};
}

Expected<config::Config, std::string> Daemon::read_anew() const {
  auto wanted = config::load(config_.file, {.instance = config_.node.instance});
  if (!wanted) return fail(first_of(wanted.error()));
  if (const auto logging = check_logging(*wanted); !logging) {
    return fail(logging.error().attempted + ": " + logging.error().observed);
  }
  return std::move(*wanted);
}

void Daemon::take_anew(const config::Config& wanted) {
  const config::Changes changes = config::diff(config_, wanted);
  config::take_live(config_, wanted);
  if (const auto logging = set_up_logging(config_); !logging) {
    // It could be opened when it was checked, a moment ago.
    log("log").error("{} observed=\"{}\" -> the log goes on as it did", logging.error().attempted,
                     logging.error().observed);
  }
  acl_ = security::Acl(geteuid(), config_.client.uids, config_.client.gids);
  acceptor_->set_acl(
      acl_, security::Acl(geteuid(), config_.client.shared_uids, config_.client.shared_gids));
  map_->set_acl(acl_);
  guards_->set_acl(acl_);
  watch_->set_acl(acl_);
  instance_.let_others_attach(acl_.lists_others());
  link_.set_start_limit(DataPlaneLink::start_limit_for(config_.cluster.dead_after));
  if (conductor_) {
    tune(monotonic_now());
    on_vouch_time();  // The others may judge by shorter times from now on.
  }
  std::string live;
  for (const std::string& key : changes.live) live += (live.empty() ? "" : " ") + key;
  log("admin").info("configuration reloaded changed=[{}] waiting_for_a_restart={}", live,
                    changes.restart.size());
}

/// Times and the policy for slow clients, where they count.
void Daemon::tune(TimeNs now) {
  const config::ClusterSection& cluster = config_.cluster;
  if (management_) management_->set_silence(cluster.dead_after);
  conductor_->tune({.dead_after = cluster.dead_after,
                    .stall_after = cluster.stall_after,
                    .hold_min = cluster.hold_min,
                    .hold_max = cluster.hold_max},
                   {.dead_after = cluster.dead_after,
                    .throttles = config_.client.slow_policy == config::SlowPolicy::Throttle,
                    .throttle_max = config_.client.throttle_max},
                   now);
}

void Daemon::take_reload(const json& request, const AdminServer::Reply& reply) {
  const auto dry = request.find("dry_run");
  if (dry != request.end() && !dry->is_boolean()) return reply(usage("dry_run is true or false"));
  std::vector<NodeId> others;
  if (conductor_) {
    for (const Member& member : conductor_->membership().members()) {
      if (member.node != config_.node.id) others.push_back(member.node);
    }
  }
  const bool is_dry = dry != request.end() && dry->get<bool>();
  const TimeNs began = monotonic_now();
  orders_.reload(is_dry, others, began, [=, this](const ClusterOrders::Outcome& outcome) {
    if (outcome.error) {
      log("reload").warn("reload refused observed=\"{}\"", outcome.error->observed);
      return reply(error_json(*outcome.error));
    }
    json nodes = json::array();
    for (const config::ClusterNode& node : config_.cluster.nodes) {
      const auto found = outcome.answers.find(node.id);
      const bool asked = found != outcome.answers.end();
      nodes.push_back({{"node", node.id},
                       {"name", node.name},
                       {"asked", asked},
                       {"changes", asked ? found->second.text : std::string()}});
    }
    const double took = static_cast<double>(monotonic_now() - began);
    reply({{"version", 1},
           {"ok", true},
           {"dry_run", is_dry},
           {"took_ms", took / static_cast<double>(kMillisecond)},
           {"nodes", std::move(nodes)}});
  });
}

void Daemon::take_leave(const json& request, bool keep_dataplane, const AdminServer::Reply& reply) {
  const auto force = request.find("force");
  if (force != request.end() && !force->is_boolean()) return reply(usage("force is true or false"));
  const auto go = [=, this] {
    reply({{"version", 1}, {"ok", true}});
    if (keep_dataplane) {
      log("daemon").info("ending, the data plane goes on");
      return loop_.stop();
    }
    if (leaving_) return;
    // Asked for by name, so it is meant for the data plane as well, whoever started that one.
    options_.start_dataplane = true;
    leave();
  };
  if (force != request.end() && force->get<bool>()) return go();
  const bool asked = guards_->ask([=](const std::vector<GuardServer::Veto>& vetoes) {
    if (vetoes.empty()) return go();
    std::string text;
    for (const GuardServer::Veto& veto : vetoes) {
      log("admin").info("leave vetoed by=\"{}\" pid={} why=\"{}\"", veto.name, veto.pid,
                        veto.reason);
      text += (text.empty() ? "" : "; ") + veto.name + " (pid " + std::to_string(veto.pid) +
              "): " + veto.reason;
    }
    reply(admin_error(static_cast<int>(ExitCode::Failed),
                      "vetoed by " + text + "; --force asks nobody"));
  });
  if (!asked) {
    reply(admin_error(static_cast<int>(ExitCode::Failed), "the guards are being asked already"));
  }
}

void Daemon::take_remove(const json& request, const AdminServer::Reply& reply) {
  const auto node = request.find("node");
  const auto reason = request.find("reason");
  if (node == request.end() || !node->is_number_unsigned() || reason == request.end() ||
      !reason->is_string()) {
    return reply(usage("node is an id, reason a text; both are needed"));
  }
  const std::string why = reason->get<std::string>();
  if (why.empty() || why.size() > wire::kOrderTextBytes) {
    return reply(usage("a reason has 1 to " + std::to_string(wire::kOrderTextBytes) + " bytes"));
  }
  const auto& nodes = config_.cluster.nodes;
  const auto found = std::ranges::find_if(
      nodes, [&](const config::ClusterNode& one) { return node->get<std::uint64_t>() == one.id; });
  if (found == nodes.end()) return reply(usage("node is not the id of a configured node"));
  if (found->id == config_.node.id) {
    reply({{"version", 1}, {"ok", true}});
    return on_removed(found->id, why);
  }
  orders_.remove(found->id, why, monotonic_now(), [reply](const ClusterOrders::Outcome& outcome) {
    if (outcome.error) return reply(error_json(*outcome.error));
    reply({{"version", 1}, {"ok", true}});
  });
}

std::string Daemon::removal_file() const {
  return config_.node.state_directory + "/n" + std::to_string(config_.node.id) + ".removed";
}

void Daemon::on_removed(NodeId by, const std::string& reason) {
  if (leaving_) return;
  log("admin").warn("this node is removed by an administrator by=n{} why=\"{}\"", by, reason);
  notify("STATUS=removed by n" + std::to_string(by));
  const std::string text = "by n" + std::to_string(by) + ": " + reason + "\n";
  if (const auto kept = write_durably(config_.node.state_directory, removal_file(), text); !kept) {
    log("admin").warn("{} observed=\"{}\"", kept.error().attempted, kept.error().observed);
  }
  options_.start_dataplane = true;  // The data plane goes too, whoever started it.
  leave();
}

/// Who starts it again may not know why it went.
void Daemon::tell_last_removal() const {
  std::ifstream file(removal_file());
  std::string text;
  if (!std::getline(file, text)) return;
  log("admin").warn("this node was removed when it ran last {}", text);
  (void)unlink(removal_file().c_str());
}

json Daemon::nodes() const {
  json list = json::array();
  for (const config::ClusterNode& node : config_.cluster.nodes) {
    bool in_view = false;
    if (conductor_) {
      const auto members = conductor_->membership().members();
      in_view = std::ranges::find(members, node.id, &Member::node) != members.end();
    }
    list.push_back({{"node", node.id},
                    {"name", node.name},
                    {"self", node.id == config_.node.id},
                    {"in_view", in_view},
                    {"address", config::to_string(node.address)},
                    {"management",
                     node.management ? json(config::to_string(*node.management)) : json(nullptr)}});
  }
  return {{"version", 1},
          {"node", config_.node.id},
          {"name", config_.node.name},
          {"instance", config_.node.instance},
          {"pid", getpid()},
          {"config", config_.file},
          {"boot", link_.is_up() ? json(to_string(link_.identity().self.boot)) : json(nullptr)},
          {"nodes", std::move(list)}};
}

}  // namespace phalanx::controlplane
