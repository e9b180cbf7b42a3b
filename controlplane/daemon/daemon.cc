#include "controlplane/daemon/daemon.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "controlplane/daemon/notify.h"
#include "controlplane/quorum/from_config.h"

namespace phalanx::controlplane {
namespace {

/// Subjects of the log limit that are no node's.
constexpr std::uint64_t kReserveSubject = std::uint64_t{1} << 32;
constexpr std::uint64_t kDistrustSubject = kReserveSubject + 1;

/// How often the quorum device hears of the view.
constexpr TimeNs kProbeInterval = kSecond;

/// A port is looked at this often at least: nobody tells when its link goes.
constexpr TimeNs kPortInterval = 50 * kMillisecond;

/// How long peers may take to let an orderly leaver go.
constexpr TimeNs kLeaveLimit = kSecond;
/// How long a data plane may take to end once it was asked to.
constexpr TimeNs kEndLimit = 2 * kSecond;

membership::MembershipConfig membership_config(const config::Config& config, Member self,
                                               std::uint64_t config_hash, std::uint32_t key_id) {
  membership::MembershipConfig result;
  result.self = self;
  for (const config::ClusterNode& node : config.cluster.nodes) result.nodes.push_back(node.id);
  result.lanes = config.cluster.lanes;
  result.config_hash = config_hash;
  result.key_id_lowest = result.key_id_highest = key_id;
  result.dead_after = config.cluster.dead_after;
  result.stall_after = config.cluster.stall_after;
  result.hold_min = config.cluster.hold_min;
  result.hold_max = config.cluster.hold_max;
  result.attempt_deadline = membership::attempt_deadline_for(config.cluster.dead_after);
  return result;
}

/// "[n3: obituary]".
std::string list_of(const std::vector<membership::Loss>& losses) {
  std::string text = "[";
  for (const membership::Loss& loss : losses) {
    if (text.size() > 1) text += ", ";
    text += "n" + std::to_string(loss.member.node) + ": ";
    text += membership::to_string(loss.rule);
  }
  return text + "]";
}

std::string list_of(const std::vector<Member>& members) {
  std::string text = "[";
  for (const Member& member : members) {
    if (text.size() > 1) text += ' ';
    text += "n" + std::to_string(member.node);
  }
  return text + "]";
}

}  // namespace

void Daemon::on_up(const shm::DataPlaneIdentity& identity) {
  const TimeNs now = monotonic_now();
  conductor_.emplace(
      membership_config(config_, identity.self, config_hash_, keys_.ring()->current.id),
      quorum::from_config(config_), sequence_used_, link_,
      Conductor::Hooks{
          .reserve = [this](std::uint64_t sequence) { return state_.reserve(sequence); },
          .wake = [this](TimeNs at) { tick_.arm(at); },
          .view_changed = [this](const ViewChange& change) { on_view(change); },
          .failed =
              [this](const Error& error) {
                std::uint64_t suppressed = 0;
                if (!limit_.pass(kReserveSubject, monotonic_now(), suppressed)) return;
                log("membership")
                    .error(
                        "sequence not reserved, no view can be formed observed=\"{}\" "
                        "remedy=\"{}\" suppressed={}",
                        error.observed, error.remedy, suppressed);
              },
          .ruled = [this](const quorum::Ruling& ruling) { on_ruling(ruling); },
          .ask =
              [this](const wire::DeviceWord& word) {
                if (management_) management_->ask_device(word);
              },
          .tape = tape_ ? &*tape_ : nullptr,
          .recorder = recorder_.get()});
  recorder_->note(recorder::Kind::DataPlaneUp, {.a = identity.pid});
  switch (conductor_->begin(now)) {
    case Conductor::Begin::Started:
      log("dataplane")
          .info("data plane up pid={} boot={}", identity.pid, to_string(identity.self.boot));
      break;
    case Conductor::Begin::Adopted:
      log("dataplane")
          .info("data plane re-adopted pid={} boot={} view={}", identity.pid,
                to_string(identity.self.boot), to_string(conductor_->membership().view()));
      break;
    case Conductor::Begin::Unusable:
      conductor_.reset();
      return link_.replace("its attempt cannot be taken up");
  }
  keys_.on_data_plane();
  (void)link_.read_keys_again();  // It says which it holds.
  finish_rotation();
  tune(now);  // It may have run while this process had other times.
  if (!has_link()) conductor_->on_own_link(false, now);
  on_vouch_time();
  on_probe_time();
}

void Daemon::on_event(const shm::Event& event) {
  switch (event.kind) {
    case shm::WorkerEventKind::ClientAttached:
      log("attach").debug("client attached client={} pid={} uid={}", event.client, event.pid,
                          event.uid);
      return;
    case shm::WorkerEventKind::ClientDetached:
      log("attach").debug("client detached client={}", event.client);
      return;
    case shm::WorkerEventKind::Groups:
      return answer_groups(event);
    case shm::WorkerEventKind::KeysHeld:
      return keys_.on_data_plane_keys(
          event.token == 1,
          {reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size()});
    case shm::WorkerEventKind::Distrust:
      tell_distrust(event.token);
      break;
    case shm::WorkerEventKind::Refused:
      log("membership")
          .warn("data plane refused attempt={} order={}", to_string(event.view),
                event.token == static_cast<std::uint32_t>(shm::CommandKind::Install) ? "install"
                                                                                     : "recover");
      // The others are in the new view or will be: there is no way back to them but as a new
      // member.
      if (event.token == static_cast<std::uint32_t>(shm::CommandKind::Install)) {
        return link_.replace("it refused an install");
      }
      break;
    case shm::WorkerEventKind::ControlMessage:
    case shm::WorkerEventKind::Frozen:
    case shm::WorkerEventKind::Recovered:
    case shm::WorkerEventKind::Installed:
      break;
  }
  if (!conductor_) return;
  conductor_->on_event(event, monotonic_now());
  check_left();
}

void Daemon::on_down(const shm::DataPlaneIdentity& identity) {
  // The peers first: each microsecond here is one in which nobody orders.
  if (management_ && !identity.obituary.empty()) {
    management_->send_obituary(identity.self, identity.obituary);
  }
  recorder_->note(recorder::Kind::DataPlaneDown, {.a = identity.pid});
  // The next incarnation goes on above what this one used: no block is spent on it.
  if (conductor_) {
    sequence_used_ = std::max(sequence_used_, conductor_->membership().sequence_seen());
  }
  conductor_.reset();
  port_.forget();
  second_port_.forget();
  tick_.disarm();
  for (const auto& [token, reply] : std::exchange(group_questions_, {})) {
    reply(admin_error(static_cast<int>(ExitCode::NotRunning), "the data plane is down"));
  }
  give_up_vote_order();
  notify("STATUS=data plane down");
  show_view(nullptr);
  if (ending_) loop_.stop();
}

void Daemon::on_tick() {
  if (!conductor_) return;
  // What waits in the queues is older than now: hear all of it before anybody is judged.
  link_.drain();
  if (management_) management_->receive();
  if (!conductor_) return;
  const TimeNs now = monotonic_now();
  conductor_->on_time(now);
  tell_rejections(now);
  check_left();
}

void Daemon::on_view(const ViewChange& change) {
  log("membership")
      .info(
          "view installed view={} members={} {} left={} joined={} quorate={} votes={} needed={} "
          "took_ms={:.1f}",
          change.view.sequence, change.members.size(), list_of(change.members),
          list_of(change.left), list_of(change.joined), change.quorum.quorate, change.quorum.total,
          change.quorum.needed,
          static_cast<double>(change.took) / static_cast<double>(kMillisecond));
  notify("STATUS=view " + std::to_string(change.view.sequence) + " of " +
         std::to_string(change.members.size()) + " nodes" +
         (change.quorum.quorate ? "" : ", not quorate"));
  show_view(&change);
  finish_rotation();
}

bool Daemon::look_at_ports() noexcept {
  const auto worker = link_.status();
  if (!worker) return false;
  const bool first = port_.look(*worker);
  return second_port_.look(*worker) || first;
}

void Daemon::on_vouch_time() {
  if (look_at_ports()) return on_link();  // Comes back here.
  if (management_ && link_.is_up()) management_->vouch(link_.identity().self.boot, has_link());
  if (!management_ && !watches_ports()) return;
  const TimeNs often = config_.cluster.dead_after / 4;
  vouch_.arm(monotonic_now() + (watches_ports() ? std::min(often, kPortInterval) : often));
}

void Daemon::on_probe_time() {
  if (!config_.quorum.device || !conductor_) return;
  conductor_->probe_device();
  probe_.arm(monotonic_now() + kProbeInterval);
}

void Daemon::on_dead(Member member) {
  if (member.node != config_.node.id) {
    if (!conductor_) return;
    log("membership").debug("obituary node={} boot={}", member.node, to_string(member.boot));
    conductor_->on_dead(member, monotonic_now());
    return check_left();
  }
  // Peers that got it will never count on this incarnation again.
  if (link_.is_up() && member == link_.identity().self) link_.replace("its own obituary came back");
}

void Daemon::on_cut_off(Member member) {
  log("membership").debug("link of a peer is down node={}", member.node);
  if (!conductor_) return;
  conductor_->on_cut_off(member, monotonic_now());
  check_left();
}

void Daemon::on_link() {
  log("management")
      .warn("link changed interface={} up={}{}", interface(), has_first_link(),
            !second_carrier_ ? ""
                             : " second=" +
                                   (second_port_.watches() ? config_.transport.second.port
                                                           : second_carrier_->interface()) +
                                   (has_second_link() ? " up=true" : " up=false"));
  on_vouch_time();  // The peers first: they need not wait for their time-outs.
  if (!conductor_) return;
  conductor_->on_own_link(has_link(), monotonic_now());
  check_left();
}

void Daemon::tell_distrust(std::uint32_t absent_ms) {
  std::uint64_t suppressed = 0;
  if (!limit_.pass(kDistrustSubject, monotonic_now(), suppressed)) return;
  log("dataplane").warn("worker was not scheduled ms={} suppressed={}", absent_ms, suppressed);
}

void Daemon::tell_rejections(TimeNs now) {
  LogLimit& limit = management_ ? management_->limit() : limit_;  // One line a peer, of both.
  for (const membership::Rejection& rejection : conductor_->membership().rejections()) {
    std::uint64_t suppressed = 0;
    if (!limit.pass(rejection.node, now, suppressed)) continue;
    recorder_->note(recorder::Kind::KeptOut,
                    {.node = rejection.node, .a = rejection.mine, .b = rejection.theirs});
    const bool config = rejection.reason == membership::Rejection::Reason::ConfigHash;
    log("membership")
        .warn("peer kept out node={} reason=\"{}\" its={:x} ours={:x} -> next: phalanx config show",
              rejection.node,
              config ? "its cluster configuration differs" : "its cluster key differs",
              rejection.theirs, rejection.mine);
  }
}

bool Daemon::hand_over(const shm::AdoptClient& client) {
  return !leaving_ && link_.adopt(client).has_value();
}

void Daemon::on_signal(int signal) {
  log("daemon").info("signal signal={}", signal);
  if (leaving_) return end_dataplane();  // Asked twice: not so orderly, then.
  leave();
}

void Daemon::leave() {
  leaving_ = true;
  notify("STOPPING=1");
  if (!options_.start_dataplane) {
    // The data plane is somebody else's: messages flow on, and the next control plane takes over.
    log("daemon").info("ending, the data plane goes on");
    return loop_.stop();
  }
  if (!conductor_) return end_dataplane();
  leave_limit_.arm(monotonic_now() + kLeaveLimit);
  conductor_->leave(monotonic_now());
  check_left();
}

void Daemon::check_left() {
  if (leaving_ && !ending_ && conductor_ && conductor_->membership().left()) end_dataplane();
}

void Daemon::end_dataplane() {
  if (ending_) return;
  ending_ = true;
  leave_limit_.disarm();
  link_.stop(kEndLimit);
}

void Daemon::give_up(const Error& error) {
  log("daemon").error("{} observed=\"{}\" remedy=\"{}\"", error.attempted, error.observed,
                      error.remedy);
  notify("STATUS=" + error.attempted);
  result_ = error.code;
  loop_.stop();
}

}  // namespace phalanx::controlplane
