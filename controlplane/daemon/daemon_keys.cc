// The cluster keys of a Daemon: what its parts do when they change, and the orders about them.

#include <sys/random.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "controlplane/daemon/daemon.h"

namespace phalanx::controlplane {
namespace {

using nlohmann::json;

/// Until a node that could not give its old key up tries again.
constexpr TimeNs kFinishAgain = 5 * kSecond;

json key_json(const security::KeyName& name) {
  if (name.id == 0) return nullptr;
  return {{"id", name.id}, {"fingerprint", name.fingerprint}};
}

json error_text(const Error& error) {
  return error.attempted + ": " + error.observed +
         (error.remedy.empty() ? "" : "; " + error.remedy);
}

}  // namespace

NodeKeys::Hooks Daemon::key_hooks() {
  return {.changed =
              [this](const std::shared_ptr<const wire::KeyRing>& ring) {
                if (management_) management_->hold(ring);
                if (exchange_) exchange_->hold(ring, false);
                (void)link_.read_keys_again();
              },
          .go_by = [this] { go_by_keys(); },
          .view_key_id = [this] { return view_key_id(); },
          .data_plane_up = [this] { return link_.is_up(); },
          .wall_s = [] { return static_cast<std::uint64_t>(std::time(nullptr)); }};
}

security::Rotation::Hooks Daemon::rotation_hooks() {
  return {.state = [this] { return keys_.state(); },
          .hold = [this](const security::KeyName& next) { return keys_.hold(next); },
          .go_over = [this](const security::KeyName& next) { return keys_.go_over(next); },
          .device_follows =
              [this] {
                return !config_.quorum.device || (management_ && management_->device_has_next());
              },
          .send =
              [this](const wire::OrderWord& word) {
                return management_ != nullptr && management_->send_order(word);
              },
          .wake = [this](TimeNs at) { key_timer_.arm(at); },
          .draw =
              [] {
                std::uint32_t drawn = 0;
                (void)!getrandom(&drawn, sizeof drawn, 0);
                return drawn;
              },
          .name_of =
              [this](NodeId node) {
                for (const config::ClusterNode& one : config_.cluster.nodes) {
                  if (one.id == node) return one.name;
                }
                return "node " + std::to_string(node);
              }};
}

std::uint32_t Daemon::view_key_id() const {
  return conductor_ ? conductor_->membership().view_key_id() : 0;
}

/// What the membership may count on is what the worker holds.
void Daemon::go_by_keys() {
  if (!conductor_) return;
  const wire::KeyRing& ring = *keys_.ring();
  const std::uint32_t next = keys_.held() ? ring.next->id : 0;
  conductor_->rekey({.lowest = ring.current.id,
                     .highest = next != 0 && keys_.goes_over() ? next : ring.current.id,
                     .next = next},
                    monotonic_now());
  check_left();
}

void Daemon::finish_rotation() {
  if (keys_.ring()->next && exchange_) {
    exchange_->hold(keys_.ring(), view_key_id() == keys_.ring()->next->id);
  }
  if (!keys_.finish()) finish_timer_.arm(monotonic_now() + kFinishAgain);
}

std::vector<NodeId> Daemon::other_nodes() const {
  std::vector<NodeId> others;
  for (const config::ClusterNode& node : config_.cluster.nodes) {
    if (node.id != config_.node.id) others.push_back(node.id);
  }
  return others;
}

void Daemon::take_key_order(const json& request, const AdminServer::Reply& reply) {
  const std::string order = request.value("order", "status");
  if (order == "status") return tell_keys(reply);
  const auto force = request.find("force");
  if (order != "rotate" || (force != request.end() && !force->is_boolean())) {
    return reply(admin_error(static_cast<int>(ExitCode::Usage),
                             "order is status or rotate, force is true or false"));
  }
  if (!conductor_ || leaving_) {
    return reply(admin_error(static_cast<int>(ExitCode::NotRunning),
                             "the data plane is down: there is no view"));
  }
  const bool forced = force != request.end() && force->get<bool>();
  rotation_.rotate(
      other_nodes(), forced, monotonic_now(), [this, reply](const std::optional<Error>& refused) {
        if (refused) {
          log("admin").warn("rotation refused observed=\"{}\"", refused->observed);
          return reply(admin_error(static_cast<int>(refused->code),
                                   error_text(*refused).get<std::string>()));
        }
        const security::KeyName& to = rotation_.progress()->to;
        log("admin").info("rotation begins key={} fingerprint={}", to.id, to.fingerprint);
        reply({{"version", 1}, {"ok", true}, {"key", key_json(to)}});
      });
}

void Daemon::tell_keys(const AdminServer::Reply& reply) {
  rotation_.ask(
      other_nodes(), monotonic_now(), [=, this](const security::Rotation::States& states) {
        json nodes = json::array();
        for (const config::ClusterNode& node : config_.cluster.nodes) {
          const auto found = states.find(node.id);
          json one{{"node", node.id}, {"name", node.name}, {"answers", found != states.end()}};
          if (found != states.end()) {
            const security::KeyState& state = found->second;
            one["phase"] = security::to_string(state.phase());
            one["key"] = key_json(state.current);
            one["next"] = key_json(state.next);
            one["view_key_id"] = state.view_key_id;
            one["since"] = state.since;
            one["trouble"] = state.trouble.empty() ? json(nullptr) : json(state.trouble);
          }
          nodes.push_back(std::move(one));
        }
        json rotation = nullptr;
        if (const auto& progress = rotation_.progress()) {
          json without = json::array();
          for (const NodeId node : progress->without) without.push_back(node);
          rotation = {{"running", progress->running},
                      {"step", security::to_string(progress->step)},
                      {"to", key_json(progress->to)},
                      {"without", std::move(without)},
                      {"error", progress->error ? error_text(*progress->error) : json(nullptr)}};
        }
        reply({{"version", 1}, {"rotation", std::move(rotation)}, {"nodes", std::move(nodes)}});
      });
}

}  // namespace phalanx::controlplane
