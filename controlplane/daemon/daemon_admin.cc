// What a Daemon answers on admin.sock: README.md has the shapes.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/daemon/daemon.h"
#include "controlplane/daemon/group_list.h"
#include "controlplane/daemon/log_orders.h"
#include "controlplane/daemon/quorum_orders.h"
#include "controlplane/daemon/quorum_status.h"
#include "controlplane/daemon/status.h"

namespace phalanx::controlplane {
namespace {

constexpr std::size_t kQuestionsMax = 64;
/// How long the members may take for the view that rules on an order.
constexpr TimeNs kVoteLimit = 3 * kSecond;

nlohmann::json error_of(ExitCode code, const std::string& what) {
  return admin_error(static_cast<int>(code), what);
}

}  // namespace

void Daemon::on_request(const nlohmann::json& request, const AdminServer::Peer& peer,
                        const AdminServer::Reply& reply) {
  const auto found = request.find("command");
  const std::string command =
      found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
  if (command == "status") return reply(status());
  if (command == "groups") return ask_for_groups(reply);
  if (command == "version") return reply({{"version", 1}, {"phalanx", PHALANX_RELEASE}});
  if (command == "nodes") return reply(nodes());
  constexpr std::array<std::string_view, 8> kOrders{"key",      "leave",  "log",    "quorum",
                                                    "recorder", "reload", "remove", "shutdown"};
  if (std::ranges::find(kOrders, command) == kOrders.end()) {
    return reply(error_of(ExitCode::Usage,
                          "unknown command; known: status groups version nodes quorum log recorder "
                          "key reload remove shutdown leave"));
  }
  const recorder::Recorder::Detail asked{
      .a = recorder::pack_word(command), .b = static_cast<std::uint64_t>(peer.pid), .c = peer.uid};
  if (!acl_.may_administer({.pid = peer.pid, .uid = peer.uid, .gid = 0, .groups = {}})) {
    recorder_->note(recorder::Kind::OrderRefused, asked);
    log("attach").warn("command refused reason=\"{} by a user without the right\" uid={} pid={}",
                       command, peer.uid, peer.pid);
    return reply(error_of(ExitCode::Permission, "only root and the daemon's own user may do this"));
  }
  if (command == "recorder") return ask_for_recorders(reply);
  const auto keep = request.find("keep_dataplane");
  if (keep != request.end() && !keep->is_boolean()) {
    return reply(error_of(ExitCode::Usage, "keep_dataplane is true or false"));
  }
  if (command == "log") {
    const auto answer = carry_out_log_order(request);
    if (answer) return reply(*answer);
    return reply(
        error_of(answer.error().code, answer.error().attempted + ": " + answer.error().observed));
  }
  if (command == "key" && request.value("order", "status") == "status") return tell_keys(reply);
  recorder_->note(recorder::Kind::Order, asked);
  log("admin").info("order command={} pid={} uid={}", command, peer.pid, peer.uid);
  if (command == "quorum") return take_vote_order(request, reply);
  if (command == "key") return take_key_order(request, reply);
  if (command == "reload") return take_reload(request, reply);
  if (command == "remove") return take_remove(request, reply);
  take_leave(request, command == "shutdown" && keep != request.end() && keep->get<bool>(), reply);
}

nlohmann::json Daemon::status() const {
  const membership::Membership* membership = conductor_ ? &conductor_->membership() : nullptr;
  std::string_view state = "starting";
  if (membership != nullptr) state = membership::to_string(membership->state());
  if (leaving_) state = "leaving";
  return status_json({.config = config_,
                      .state = state,
                      .membership = membership,
                      .quorum = conductor_ ? &conductor_->quorum() : nullptr,
                      .device_heard = conductor_ ? conductor_->device_heard() : 0,
                      .dataplane = link_.is_up() ? &link_.identity() : nullptr,
                      .dataplane_starts = link_.starts(),
                      .worker = link_.status(),
                      .counters = link_.counters(),
                      .driver_counters = link_.driver_counters(),
                      .statistics = link_.statistics(),
                      .book = management_ ? &management_->book() : nullptr,
                      .link_up = has_link(),
                      .interface = interface(),
                      .now = monotonic_now()});
}

void Daemon::take_vote_order(const nlohmann::json& request, const AdminServer::Reply& reply) {
  const auto order = parse_quorum_order(request, config_);
  if (!order) return reply(error_of(ExitCode::Usage, order.error()));
  if (!conductor_ || leaving_) {
    return reply(error_of(ExitCode::NotRunning, "the data plane is down: there is no view"));
  }
  if (vote_order_) {
    return reply(error_of(ExitCode::Failed, "another order is under way at this node: try again"));
  }
  vote_order_ = VoteOrder{.order = *order, .reply = reply};
  vote_limit_.arm(monotonic_now() + kVoteLimit);
  const quorum::Ruling ruling = conductor_->propose(*order, monotonic_now());
  if (ruling.verdict != quorum::Verdict::Carried) on_ruling(ruling);
}

void Daemon::on_ruling(const quorum::Ruling& ruling) {
  if (!vote_order_) return;
  vote_limit_.disarm();
  const VoteOrder asked = *std::exchange(vote_order_, std::nullopt);
  const quorum::Quorum& quorum = conductor_->quorum();
  if (ruling.verdict != quorum::Verdict::Carried) {
    return asked.reply(
        error_of(ExitCode::Failed, refusal_text(ruling, asked.order, quorum, config_)));
  }
  log("quorum").info("votes changed at run time view={} votes={} expected={} needed={}",
                     quorum.view().sequence, quorum.outcome().total, quorum.outcome().expected,
                     quorum.outcome().needed);
  asked.reply(
      {{"version", 1},
       {"ok", true},
       {"quorum", quorum_json(config_, quorum, conductor_->device_heard(), monotonic_now())}});
}

void Daemon::give_up_vote_order() {
  if (conductor_) conductor_->withdraw();
  vote_limit_.disarm();
  if (!vote_order_) return;
  std::exchange(vote_order_, std::nullopt)
      ->reply(error_of(ExitCode::TimeOut,
                       "no view has ruled on it in time; one that was on its way may still do so: "
                       "phalanx quorum shows what holds"));
}

/// What all who can be reached noted of views, for `phalanx why`.
void Daemon::ask_for_recorders(const AdminServer::Reply& reply) {
  nlohmann::json configured = nlohmann::json::array();
  for (const config::ClusterNode& node : config_.cluster.nodes) {
    configured.push_back({{"id", node.id}, {"name", node.name}});
  }
  exchange_->ask(
      [reply, configured](const nlohmann::json& answer) {
        nlohmann::json whole = answer;
        if (!whole.contains("error")) whole["configured"] = configured;
        reply(whole);
      },
      monotonic_now());
}

void Daemon::ask_for_groups(const AdminServer::Reply& reply) {
  const std::uint32_t token = next_token_++;
  if (group_questions_.size() >= kQuestionsMax) group_questions_.erase(group_questions_.begin());
  if (!link_.send({.kind = shm::CommandKind::ListGroups, .token = token})) {
    return reply(error_of(ExitCode::NotRunning, "the data plane is down"));
  }
  group_questions_[token] = reply;
}

void Daemon::answer_groups(const shm::Event& event) {
  const auto asked = group_questions_.extract(event.token);
  if (asked.empty()) return;
  auto groups = groups_json(event.bytes);
  if (!groups) return asked.mapped()(error_of(ExitCode::Failed, "the data plane answered rubbish"));
  asked.mapped()({{"version", 1}, {"groups", std::move(*groups)}});
}

}  // namespace phalanx::controlplane
