#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "controlplane/membership/loss.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::membership {

struct DetectorConfig {
  TimeNs dead_after =
      50 * kMillisecond;  ///< Silent in both planes: the floor of the adaptive limit.
  TimeNs stall_after = 500 * kMillisecond;  ///< Silent or without progress while it is vouched for.
};

/// Suspicion asks for a sign of life; conviction leaves the peer out. Both are taken back by one.
enum class Verdict : std::uint8_t { Fine, Suspected, Convicted };

/// Judges the peers of a view by when they were heard. Limits adapt to each peer's own
/// inter-arrival times, within [dead_after, stall_after], and never depend on how many peers there
/// are. Peers are indices below kNodesMax.
class FailureDetector {
 public:
  explicit FailureDetector(const DetectorConfig& config) : config_(config) {}

  void set_limits(const DetectorConfig& config) noexcept { config_ = config; }

  /// Starts over: a new incarnation, or a new view. It counts as heard now.
  void watch(std::size_t peer, TimeNs now, bool new_incarnation);

  /// What the worker says at `now`; 0 is never.
  void on_rows(std::size_t peer, TimeNs heard, TimeNs progressed, TimeNs now);
  void on_control(std::size_t peer, TimeNs now);  ///< A control message by the data path.
  void on_vouch(std::size_t peer, TimeNs now);    ///< By the management address.
  /// This node itself was not running: nobody is accused before its peers had time to be heard.
  void distrust_self(TimeNs now) noexcept { grace_until_ = now + config_.dead_after; }
  [[nodiscard]] bool distrusts_self(TimeNs now) const noexcept { return now < grace_until_; }

  /// `lanes_running`: rows are due, so control messages alone do not prove the data path.
  [[nodiscard]] Verdict verdict(std::size_t peer, TimeNs now, bool lanes_running) const;
  /// Which rule convicts it at `now`; None when none does.
  [[nodiscard]] LossRule convicted_by(std::size_t peer, TimeNs now, bool lanes_running) const;
  /// When the verdict will get worse if nothing is heard; kNever when it cannot.
  [[nodiscard]] TimeNs next_verdict_at(std::size_t peer, TimeNs now, bool lanes_running) const;
  /// Shows all state that is not its configuration to `v`, for an image of the machine.
  static void visit(auto& self, std::size_t peers, auto& v) {
    v(self.grace_until_);
    for (std::size_t i = 0; i < peers; ++i) {
      auto& peer = self.peers_[i];
      v(peer.since);
      v(peer.rows_at);
      v(peer.progressed_at);
      v(peer.control_at);
      v(peer.vouched_at);
      v(peer.has_rows);
      v(peer.age);
      v(peer.age_mean);
      v(peer.age_deviation);
    }
  }
  /// Silence in both planes that convicts.
  [[nodiscard]] TimeNs limit(std::size_t peer) const;

 private:
  struct Peer {
    TimeNs since = 0;  ///< Nothing before this counts against the peer.
    TimeNs rows_at = 0;
    TimeNs progressed_at = 0;
    TimeNs control_at = 0;
    TimeNs vouched_at = 0;  ///< 0: never by this incarnation.
    bool has_rows = false;  ///< The worker reports on it.
    TimeNs age = 0;         ///< Of rows_at when it was last read; an inter-arrival in the making.
    TimeNs age_mean = 0;
    TimeNs age_deviation = 0;
  };
  struct Deadlines {
    TimeNs suspected = kNever;
    TimeNs convicted = kNever;
    LossRule rule = LossRule::None;
  };
  [[nodiscard]] Deadlines deadlines(std::size_t peer, bool lanes_running) const;

  DetectorConfig config_;
  TimeNs grace_until_ = 0;
  std::array<Peer, kNodesMax> peers_{};
};

}  // namespace phalanx::membership
