#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace phalanx::sim {

/// (origin, number) of an operation of a replicated state.
using OperationId = std::pair<std::uint64_t, std::uint64_t>;

/// What one application process holds: every operation that its state took, in order.
struct ReplicatedState {
  std::vector<OperationId> taken;
  bool valid = true;  ///< False after a restore that failed.
  friend bool operator==(const ReplicatedState&, const ReplicatedState&) = default;
};

/// The promises of ipc/replica, seen from outside the replicas: no operation is taken twice, none
/// that was refused at its origin is taken, none that was acknowledged in a quorate view is lost as
/// long as one process lives that took it, and in the end all states are equal.
class Replicated {
 public:
  void on_born(const ReplicatedState* state) { living_.insert(state); }
  /// Its process dies: what no other one has taken may be lost from here on.
  void on_died(const ReplicatedState* state);
  /// Its state is about to be replaced by a snapshot, which must not lose what it acknowledged.
  void on_take(const ReplicatedState& state, OperationId operation);
  void on_acknowledged(OperationId operation, bool quorate);
  void on_refused(OperationId operation) { refused_.insert(operation); }
  /// A side's history was too short: what it took may be lost.
  void on_lost_side() { excused_ = true; }
  /// All faults are over and all replicas are live and idle.
  void check_end() const;

  struct Coverage {
    std::uint64_t acknowledged = 0;
    std::uint64_t quorate = 0;
    std::uint64_t merged = 0;
    std::uint64_t taken = 0;
    std::uint64_t faults = 0;
    std::uint64_t lost_sides = 0;
  };
  Coverage coverage;

 private:
  std::set<const ReplicatedState*> living_;
  std::set<OperationId> kept_;  ///< Acknowledged in a quorate view.
  std::set<OperationId> refused_;
  bool excused_ = false;
};

}  // namespace phalanx::sim
