#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "controlplane/membership/membership.h"
#include "ipc/base/assert.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::membership;
using fuzz::Input;
using fuzz::member_of;

constexpr NodeId kSelf = 2;
constexpr LaneId kLanes = 2;

MembershipConfig config() {
  MembershipConfig made;
  made.self = member_of(kSelf);
  made.nodes = {1, 2, 3, 4};
  made.lanes = kLanes;
  return made;
}

/// Draws control messages whose parts now and then fit the machine's attempt, view and peers.
class Messages {
 public:
  Messages(Input& input, const Membership& machine) : in_(input), machine_(machine) {}

  Member sender() {
    const auto life = static_cast<std::uint8_t>(in_.choose(8) == 0 ? 2 : 1);
    return member_of(std::array<NodeId, 6>{1, 3, 4, 1, 3, 5}[in_.choose(6)], life);
  }

  std::vector<std::byte> draw(wire::MessageKind kind) {
    std::vector<std::byte> bytes;
    switch (kind) {
      case wire::MessageKind::Hello:
        encode(hello(), bytes);
        break;
      case wire::MessageKind::Prepare:
        encode(wire::Prepare{attempt(), key(), members()}, bytes);
        break;
      case wire::MessageKind::Refusal:
        encode(wire::Refusal{attempt(), in_.number(machine_.sequence_seen())}, bytes);
        break;
      case wire::MessageKind::Report:
        encode(report(), bytes);
        break;
      case wire::MessageKind::Plan:
        encode(plan(), bytes);
        break;
      case wire::MessageKind::Done:
        encode(wire::Done{attempt()}, bytes);
        break;
    }
    if (in_.choose(16) == 0) {
      const auto rubbish = in_.bytes(in_.choose(64));
      const std::size_t at = bytes.empty() ? 0 : in_.take(2) % bytes.size();
      bytes.resize(std::max(bytes.size(), at + rubbish.size()));
      std::copy(rubbish.begin(), rubbish.end(), bytes.begin() + static_cast<long>(at));
    }
    return bytes;
  }

  wire::Report report() {
    wire::Report report{.attempt = attempt(), .old_view = in_.flip() ? machine_.view() : ViewId{}};
    if (in_.choose(8) == 0) report.old_view = attempt();
    for (std::size_t lanes = in_.choose(16) == 0 ? in_.choose(9) : kLanes; lanes > 0; --lanes) {
      wire::LaneReport lane{.received = in_.number(), .held = {}};
      lane.delivered = in_.number(lane.received);
      lane.stable = in_.number(lane.received);
      lane.stream_base = in_.number();
      lane.stream_end = in_.number(lane.stream_base);
      for (std::size_t held = in_.choose(3); held > 0; --held)
        lane.held.push_back({in_.number(lane.received), in_.number(lane.received)});
      report.lanes.push_back(lane);
    }
    return report;
  }

 private:
  std::uint32_t key() { return static_cast<std::uint32_t>(in_.choose(8) == 0 ? in_.number() : 0); }

  ViewId attempt() {
    ViewId id = in_.choose(3) == 0 ? machine_.view() : machine_.attempt();
    if (in_.flip()) {
      const Member leader = sender();
      id = {in_.number(machine_.sequence_seen()), leader.node, leader.boot};
    }
    return id;
  }

  std::vector<Member> members() {
    std::vector<Member> some;
    for (NodeId node = 1; node <= 4; ++node) {
      if (in_.choose(4) != 0) some.push_back(member_of(node));
    }
    if (some.empty()) some.push_back(member_of(kSelf));  // The encoder insists.
    return some;
  }

  wire::Hello hello() {
    wire::Hello hello{.view = in_.flip() ? machine_.view() : ViewId{},
                      .view_members = 0,
                      .sequence_seen = in_.number(machine_.sequence_seen()),
                      .config_hash = 0,
                      .key_id_highest = key(),
                      .leaving = in_.choose(16) == 0,
                      .attempt_running = in_.choose(4) == 0,
                      .heard = members()};
    if (in_.choose(8) == 0) hello.view = attempt();
    if (in_.choose(8) == 0) hello.config_hash = in_.number();
    if (!hello.view.is_none()) hello.view_members = static_cast<std::uint8_t>(1 + in_.choose(4));
    return hello;
  }

  wire::Plan plan() {
    wire::Plan plan{.attempt = attempt(), .key_id = key(), .members = members()};
    plan.ballots.resize(plan.members.size());
    const LaneId lanes = in_.choose(16) == 0 ? 1 : kLanes;
    plan.stream_bases.resize(plan.members.size() * lanes);
    for (Position& base : plan.stream_bases) base = in_.number();
    if (in_.flip()) return plan;
    wire::TransitionalSet set{machine_.view(), plan.members, {}};
    for (LaneId lane = 0; lane < lanes; ++lane) {
      const Position cut = in_.number();
      set.lanes.push_back({.cut = cut, .regular = cut, .streams = {}, .holdings = {}});
      set.lanes.back().streams.resize(set.members.size());
    }
    plan.sets.push_back(set);
    return plan;
  }

  Input& in_;
  const Membership& machine_;
};

/// A machine whose caller obeys it, mostly at once, and which is restarted now and then.
class Node {
 public:
  explicit Node(Input& input) : in_(input), machine_(config(), 0) { obey(machine_.start(now_)); }

  void step() {
    Messages messages(in_, machine_);
    switch (in_.choose(16)) {
      case 0:
        return obey(machine_.on_dead(messages.sender(), now_));
      case 1:
        return obey(machine_.on_cut_off(messages.sender(), now_));
      case 2:
        return obey(machine_.on_own_link(in_.flip(), now_));
      case 3:
        return obey(machine_.on_vouch(messages.sender().node, now_));
      case 4:
        return restart();
      case 5: {  // The own data plane may be late, but tells nothing that nobody could read.
        const wire::Report report = messages.report();
        std::vector<std::byte> bytes;
        encode(report, bytes);
        if (wire::decode_report(bytes)) return obey(machine_.on_frozen(report, now_));
        return;
      }
      case 6:
        return answer();
      case 7:
      case 8:
      case 9:
        return wake();
      case 10:
        if (in_.choose(64) == 0) return obey(machine_.leave(now_));
        return wake();
      default: {
        const auto kind = static_cast<wire::MessageKind>(1 + in_.choose(6));
        const std::vector<std::byte> bytes = messages.draw(kind);
        return obey(machine_.on_message(messages.sender(), kind, bytes, now_));
      }
    }
  }

 private:
  void wake() {
    now_ += in_.choose(200) * kMillisecond / 4;
    std::vector<PeerSeen> seen;
    for (const NodeId node : config().nodes) {
      const TimeNs at = in_.choose(4) == 0 ? 0 : now_;
      seen.push_back({node, at, in_.choose(8) == 0 ? 0 : at, in_.choose(32) == 0});
    }
    obey(machine_.on_seen(seen, now_));
    obey(machine_.on_time(now_));
  }

  void restart() {
    const std::vector<std::byte> whole = machine_.snapshot();
    std::vector<std::byte> torn = whole;
    torn[8 + in_.take(2) % (torn.size() - 8)] ^= static_cast<std::byte>(1U << in_.choose(8));
    PHX_CHECK(!Membership(config(), reserved_).restore(torn, now_));
    PHX_CHECK(!Membership(config(), reserved_)
                   .restore(std::span(whole).first(in_.take(2) % whole.size()), now_));
    Membership next(config(), reserved_);
    auto actions = next.restore(whole, now_);
    PHX_CHECK(actions.has_value());
    PHX_CHECK(next.view() == machine_.view());
    PHX_CHECK(next.attempt() >= machine_.attempt());  // It may go on at once.
    machine_ = std::move(next);
    obey(std::move(*actions));
  }

  void answer() {
    const ViewId attempt = machine_.attempt();
    switch (in_.choose(3)) {
      case 0:
        return obey(machine_.on_refused(attempt, now_));
      case 1:
        return obey(machine_.on_recovered(attempt, now_));
      default:
        return;  // Only who was asked to install says so.
    }
  }

  void obey(Actions actions) {
    for (int rounds = 0; rounds < 8; ++rounds) {
      if (actions.reserve_sequence) {
        PHX_CHECK(*actions.reserve_sequence > reserved_);
        reserved_ = *actions.reserve_sequence;
      }
      PHX_CHECK(machine_.sequence_seen() <= reserved_ || machine_.sequence_seen() == 0);
      for (const Send& send : actions.sends) check(send);
      if (actions.install) {
        PHX_CHECK(actions.install->attempt.sequence > installed_.sequence ||
                  actions.install->attempt == installed_);
        installed_ = actions.install->attempt;
        actions = machine_.on_installed(installed_, now_);
      } else if (actions.recover && in_.flip()) {
        actions = machine_.on_recovered(actions.recover->attempt, now_);
      } else if (actions.freeze && in_.flip()) {
        wire::Report report{.attempt = machine_.attempt(), .old_view = installed_};
        report.lanes.resize(kLanes);
        actions = machine_.on_frozen(report, now_);
      } else {
        return;
      }
    }
  }

  /// What goes out is what a peer takes.
  static void check(const Send& send) { PHX_CHECK(is_readable(send.kind, send.bytes)); }
  static bool is_readable(wire::MessageKind kind, std::span<const std::byte> bytes) {
    switch (kind) {
      case wire::MessageKind::Hello:
        return wire::decode_hello(bytes).has_value();
      case wire::MessageKind::Prepare:
        return wire::decode_prepare(bytes).has_value();
      case wire::MessageKind::Refusal:
        return wire::decode_refusal(bytes).has_value();
      case wire::MessageKind::Report:
        return wire::decode_report(bytes).has_value();
      case wire::MessageKind::Plan:
        return wire::decode_plan(bytes).has_value();
      case wire::MessageKind::Done:
        return wire::decode_done(bytes).has_value();
    }
    return false;
  }

  Input& in_;
  Membership machine_;
  std::uint64_t reserved_ = 0;
  ViewId installed_;
  TimeNs now_ = kSecond;
};

}  // namespace

// Peers that hold the key send every control message there is, with whatever in it, in any order.
// The machine stays whole, sends what can be read, and its views only grow.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Node node(input);
  while (!input.empty()) node.step();
  return 0;
}
