#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "ipc/base/time_ns.h"
#include "tests/sim/checkers/facts.h"

namespace phalanx::sim {

/// One class a guarantee of the design. Each throws Violation; O(1) a delivery unless it says so.

/// A position of a (view, lane) has one content everywhere; the transitional event is at one place
/// in a set; equal prefixes at equal index.
class AgreedOrder {
 public:
  static void on_send(const Facts& facts, const SentFrame& frame, const LaneLog& log);
  static void on_deliver(const Facts& facts, const Delivery& delivery);
  static void on_cross(const Facts& facts, const Crossing& crossing, const Passage& mine);
};

/// Members that go from one view to the next together delivered the same messages in it; all
/// others are reported as left.
class VirtualSynchrony {
 public:
  static void on_cross(const Facts& facts, const Crossing& crossing, const Passage& mine);
  static void on_install(const Facts& facts, ViewIndex view, std::size_t rank, ViewIndex old_view);
  /// The claims of one reader against what is known of the others: O(members).
  static void on_claim(const Facts& facts, ViewIndex view, const ViewFacts::Claim& claim);
};

/// A living origin's accepted message is delivered to it, in the view it was sent in; to any node
/// at most once.
class SelfDelivery {
 public:
  static void on_deliver(const Facts& facts, const Delivery& delivery);
  static void on_cross(const Facts& facts, const Crossing& crossing);
  static void at_end(const Facts& facts);
};

/// In the order of its origin, without a hole, and after whatever its origin had delivered.
class Causality {
 public:
  static void on_deliver(const Facts& facts, const Delivery& delivery);
};

/// A safe message delivered in a regular view was received by every member of it; in a
/// transitional part, by every member of the set.
class SafeDelivery {
 public:
  static void on_deliver(const Facts& facts, const Delivery& delivery);
  static void on_cross(const Facts& facts, const Crossing& crossing);
};

/// Only submitted bytes are delivered, uncorrupted, to the group they were sent to. O(bytes).
class NoInvention {
 public:
  static void on_deliver(const Facts& facts, const Delivery& delivery);
};

/// Growing sequences; one view id, one membership; every view contains self; groups hold only
/// processes of members and are what was ordered.
class Views {
 public:
  void on_lost_disk(NodeId node) { last_sequence_.erase(node); }
  void on_install(const Facts& facts, Incarnation who, const wire::Plan& plan);
  static void on_deliver(const Facts& facts, const Delivery& delivery);

 private:
  std::map<NodeId, std::uint64_t> last_sequence_;
};

/// When a component stays connected it holds one view with all of it, and all is delivered.
class Liveness {
 public:
  [[noreturn]] static void stuck(TimeNs waited, const std::string& why);
  /// Parts that cannot all hear each other: each must be one view.
  [[noreturn]] static void unsettled(TimeNs waited, const std::string& why);
  /// A node was left out, or thought to be, that nobody had harmed.
  [[noreturn]] static void accused(const std::string& view);
};

/// No queue, log or table passes its configured size.
class Bounds {
 public:
  Bounds(std::uint32_t window_bytes, std::uint32_t window_frames)
      : window_bytes_(window_bytes), window_frames_(window_frames) {}
  void on_send(const Facts& facts, const SentFrame& frame);
  /// A worker with nothing to do never sleeps: no bound on its processor time.
  [[noreturn]] static void spins(const Facts& facts, Incarnation who);

 private:
  std::uint32_t window_bytes_;
  std::uint32_t window_frames_;
  /// (view, lane, sender) -> ends of the frames that it sent first and not all members have.
  std::map<std::tuple<ViewIndex, LaneId, Incarnation>, std::deque<Position>> in_flight_;
};

/// No (key, nonce) pair is ever used twice: not to seal, and by no receiver to open.
class Nonces {
 public:
  void on_seal(const Facts& facts, Incarnation who, std::uint64_t key, std::uint32_t space,
               std::uint64_t counter);
  void on_open(const Facts& facts, Incarnation who, std::uint64_t key, std::uint32_t space,
               std::uint64_t counter);

 private:
  /// (receiver, key, nonce space) -> counters of the frames that it opened.
  std::map<std::tuple<Incarnation, std::uint64_t, std::uint32_t>, std::vector<bool>> opened_;
  /// (key, nonce space) -> last counter; a counter only grows.
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> last_;
};

/// All members of a view are told the same and count with the same votes; of two views that share
/// no node never both are held as quorate at one time; a change of votes that a member knew is not
/// lost.
class Quorate {
 public:
  /// `who` has installed its view, in which these votes hold.
  void on_install(const Facts& facts, Incarnation who, bool quorate, const wire::Amendment& votes);

 private:
  struct Told {
    bool quorate = false;
    wire::Amendment votes;
  };
  void check_votes(const Facts& facts, Incarnation who, const wire::Amendment& votes);

  std::map<ViewIndex, Told> told_;
  std::map<Incarnation, std::uint64_t> known_;  ///< Revision that each counted with last.
};

}  // namespace phalanx::sim
