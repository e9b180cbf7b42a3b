#include "tests/unit/membership_model/cluster.h"

#include <algorithm>
#include <stdexcept>

namespace phalanx::membership::model {

Cluster::Cluster(const ClusterOptions& options)
    : options_(options),
      dice_(options.seed),
      nodes_(options.nodes),
      links_(options.nodes, std::vector<bool>(options.nodes, true)) {}

void Cluster::violation(const std::string& what) const {
  throw std::runtime_error("seed " + std::to_string(options_.seed) + ": " + what + "\n" +
                           describe());
}

std::string Cluster::describe() const {
  std::string out = "at " + std::to_string(now_ / kMicrosecond) + " us";
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    out += "\n  node " + std::to_string(i + 1) + (node.up ? "" : " down") +
           (node.control_up ? "" : " without control plane");
    if (!node.machine) continue;
    const Membership& m = *node.machine;
    if (i >= 8) continue;
    out += " " + std::string(to_string(m.state())) + (m.frozen() ? " frozen" : "") + " view " +
           to_string(m.view()) + " of " + std::to_string(m.members().size()) + " attempt " +
           to_string(m.attempt()) + " hears";
    for (const Member& member : m.heard()) out += " " + std::to_string(member.node);
  }
  return out;
}

MembershipConfig Cluster::config_of(std::size_t node) const {
  MembershipConfig config;
  config.self = nodes_[node].member;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    config.nodes.push_back(static_cast<NodeId>(i + 1));
  config.lanes = options_.lanes;
  config.hold_max = options_.hold_max;
  return config;
}

void Cluster::at(TimeNs when, std::function<void()> run) {
  events_.push({when, order_++, std::move(run)});
}

TimeNs Cluster::delay() {
  if (options_.late_percent > 0 && dice_.chance(options_.late_percent)) {
    return dice_.below(20 * kMillisecond);
  }
  return options_.delay_min + dice_.below(options_.delay_max - options_.delay_min + 1);
}

void Cluster::boot(std::size_t i) {
  Node& node = nodes_[i];
  node.up = node.control_up = true;
  node.member.node = static_cast<NodeId>(i + 1);
  ++boots_;
  for (std::size_t k = 0; k < 8; ++k) node.member.boot.bytes[k] = std::uint8_t(boots_ >> (8 * k));
  node.member.boot.bytes[15] = std::uint8_t(i + 1);
  node.data = DataPlane{};
  node.memory.clear();
  node.machine = std::make_unique<Membership>(config_of(i), node.disk_sequence);
  node.wake_at = kNever;
  const std::uint64_t life = ++node.life;
  step(i, [this](Membership& m) { return m.start(now_); });
  vouch(i, life);
}

void Cluster::kill(std::size_t i, bool obituary) {
  Node& node = nodes_[i];
  node.up = node.control_up = false;
  ++node.life;
  node.machine.reset();
  if (!obituary) return;
  const Member dead = node.member;
  for (std::size_t j = 0; j < nodes_.size(); ++j) {
    if (j == i) continue;
    at(now_ + delay(),
       [=, this] { step(j, [=, this](Membership& m) { return m.on_dead(dead, now_); }); });
  }
}

void Cluster::kill_control_plane(std::size_t i) {
  nodes_[i].control_up = false;
  ++nodes_[i].life;
  nodes_[i].machine.reset();
}

void Cluster::restart_control_plane(std::size_t i) {
  Node& node = nodes_[i];
  if (!node.up || node.control_up) return;
  if (node.memory.empty()) return boot(i);  // It died before it had said anything.
  node.control_up = true;
  node.machine = std::make_unique<Membership>(config_of(i), node.disk_sequence);
  const std::uint64_t life = ++node.life;
  const auto memory = node.memory;
  auto actions = node.machine->restore(memory, now_);
  if (!actions) violation("a whole snapshot was not taken");
  execute(i, *actions);
  vouch(i, life);
}

void Cluster::pause(std::size_t i, TimeNs duration) { nodes_[i].paused_until = now_ + duration; }

void Cluster::leave(std::size_t i) {
  step(i, [this](Membership& m) { return m.leave(now_); });
}

void Cluster::heal() {
  for (auto& row : links_) row.assign(row.size(), true);
  options_.late_percent = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i].up) boot(i);
    if (!nodes_[i].control_up) restart_control_plane(i);
    nodes_[i].progresses = true;
  }
}

void Cluster::step(std::size_t i, const std::function<Actions(Membership&)>& event) {
  Node& node = nodes_[i];
  if (!node.control_up) return;
  if (now_ < node.paused_until) {  // Its input waits for it.
    const std::uint64_t life = node.life;
    at(node.paused_until, [=, this] {
      if (nodes_[i].life == life) step(i, event);
    });
    return;
  }
  execute(i, event(*node.machine));
}

void Cluster::execute(std::size_t i, const Actions& actions) {
  Node& node = nodes_[i];
  if (actions.reserve_sequence) {
    if (*actions.reserve_sequence <= node.disk_sequence) violation("the reserve does not grow");
    node.disk_sequence = *actions.reserve_sequence;
  }
  if (node.machine->sequence_seen() > node.disk_sequence && node.machine->sequence_seen() != 0) {
    violation("G10: a sequence was seen that is not reserved");
  }
  node.memory = node.machine->snapshot();
  if (actions.freeze) answer_freeze(i, node.machine->attempt());
  if (actions.recover) answer_recover(i, *actions.recover);
  if (actions.install) answer_install(i, *actions.install);
  for (const Send& one : actions.sends) send(i, one);
  if (actions.wake_at <= now_) violation("it asks to be woken in the past");
  set_alarm(i, actions.wake_at);
}

void Cluster::set_alarm(std::size_t i, TimeNs wake_at) {
  Node& node = nodes_[i];
  node.wake_at = wake_at;
  if (wake_at == kNever) return;
  const std::uint64_t life = node.life;
  at(wake_at, [=, this] { tick(i, life); });
}

void Cluster::tick(std::size_t i, std::uint64_t life) {
  Node& node = nodes_[i];
  if (node.life != life || now_ < node.wake_at) return;  // A later one is on its way.
  if (now_ < node.paused_until) return at(node.paused_until, [=, this] { tick(i, life); });
  read_rows(i);
}

void Cluster::read_rows(std::size_t i) {
  Node& node = nodes_[i];
  std::vector<PeerSeen> rows;
  for (std::size_t j = 0; j < nodes_.size(); ++j) {
    const Node& other = nodes_[j];
    if (j == i || !std::count(node.data.members.begin(), node.data.members.end(), other.member)) {
      continue;
    }
    PeerSeen& seen = node.data.seen[j];
    seen.node = other.member.node;
    if (other.up && links_[j][i] && other.data.view == node.data.view && !other.data.frozen) {
      seen.heard = now_ - std::min<TimeNs>(now_, dice_.below(10 * kMillisecond));
      if (other.progresses) seen.progressed = seen.heard;
    }
    rows.push_back(seen);
  }
  step(i, [&](Membership& m) {
    (void)m.on_seen(rows, now_);
    return m.on_time(now_);
  });
}

void Cluster::vouch(std::size_t i, std::uint64_t life) {
  if (!options_.vouching || nodes_[i].life != life) return;
  for (std::size_t j = 0; j < nodes_.size(); ++j) {
    if (j == i || now_ < nodes_[i].paused_until) continue;
    const NodeId from = nodes_[i].member.node;
    at(now_ + delay(), [=, this] {
      Node& to = nodes_[j];
      if (to.control_up && now_ >= to.paused_until) (void)to.machine->on_vouch(from, now_);
    });
  }
  at(now_ + 12'500 * kMicrosecond, [=, this] { vouch(i, life); });
}

void Cluster::send(std::size_t from, const Send& send) {
  switch (send.to) {
    case Send::To::Everyone:
      for (std::size_t to = 0; to < nodes_.size(); ++to) {
        if (to != from) post(from, to, send, nullptr);
      }
      break;
    case Send::To::Node:
      post(from, send.node - 1, send, &send.boot);
      break;
    case Send::To::Attempt:
      for (const Member& member : send.members) post(from, member.node - 1, send, &member.boot);
      break;
  }
}

void Cluster::post(std::size_t from, std::size_t to, const Send& send, const BootId* receiver) {
  if (to == from) violation("it sends to itself");
  ++messages_;
  message_bytes_ += send.bytes.size();
  if (!links_[from][to] || dice_.chance(options_.loss_percent)) return;
  const int copies = dice_.chance(options_.duplicate_percent) ? 2 : 1;
  const Member sender = nodes_[from].member;
  for (int copy = 0; copy < copies; ++copy) {
    at(now_ + delay(),
       [=, this, kind = send.kind, bytes = send.bytes, boot = receiver ? *receiver : BootId{}] {
         deliver(to, sender, kind, bytes, boot);
       });
  }
}

void Cluster::deliver(std::size_t to, Member from, wire::MessageKind kind,
                      const std::vector<std::byte>& bytes, BootId receiver) {
  if (!nodes_[to].up || (!receiver.is_none() && receiver != nodes_[to].member.boot)) return;
  step(to, [=, this](Membership& m) { return m.on_message(from, kind, bytes, now_); });
}

void Cluster::run_for(TimeNs duration) {
  (void)run_until([] { return false; }, duration);
}

TimeNs Cluster::run_until(const std::function<bool()>& done, TimeNs most) {
  const TimeNs start = now_;
  while (!done()) {
    if (events_.empty() || events_.top().at > start + most) {
      now_ = start + most;
      return kNever;
    }
    const Event event = events_.top();
    events_.pop();
    now_ = std::max(now_, event.at);
    event.run();
  }
  return now_ - start;
}

bool Cluster::one_view_of(const std::vector<std::size_t>& nodes) const {
  const Node& first = nodes_[nodes.front()];
  for (const std::size_t i : nodes) {
    const Node& node = nodes_[i];
    if (!node.up || !node.control_up || node.data.frozen || node.data.view.is_none()) return false;
    if (node.data.view != first.data.view || node.machine->view() != node.data.view) return false;
    if (node.machine->state() != State::Operational) return false;
  }
  return first.data.members.size() == nodes.size();
}

bool Cluster::one_view_of_all() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < nodes_.size(); ++i) all.push_back(i);
  return one_view_of(all);
}

}  // namespace phalanx::membership::model
