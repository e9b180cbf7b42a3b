#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "controlplane/quorum/rules.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/messages.h"

namespace phalanx::quorum {

/// Somebody outside the cluster that gives its votes to one side of a split only (an arbiter).
struct Device {
  bool alive = false;  ///< It answers.
  bool casts = false;  ///< It votes for this node's side.
};

/// What an order at run time came to.
enum class Change : std::uint8_t {
  Done,     ///< It counts from the next view on.
  TooHigh,  ///< More votes than the configuration of the others counts with.
  TooLow,   ///< Fewer expected votes than are present.
  NotWithLastManStanding,
};

/// One node's part in quorum. Sans-I/O and deterministic. What it knows goes into each report as
/// a ballot; the plan brings everybody's, and with it the answer, which the caller hands out with
/// the install of that view: so no view is ever reported quorate that is not. One thread.
class Quorum {
 public:
  Quorum(const QuorumConfig& config, NodeId self);

  /// For the report of this node. A later one never claims less.
  [[nodiscard]] wire::Ballot ballot(TimeNs now);
  /// A plan was taken up. Call before anybody hears that this node carries it out: from then on
  /// others may install it.
  void on_plan(const wire::Plan& plan);
  /// The plan is being installed. Asked again for the same view, it gives the same answer.
  Outcome on_install(const wire::Plan& plan, TimeNs now);

  void on_device(Device device) noexcept { device_ = device; }
  /// Between 0 and the configured votes: more would be news to nodes that are not here.
  [[nodiscard]] Change set_votes(std::uint32_t votes) noexcept;
  /// Raising it is safe; lowering it below the configuration is the operator's word that the
  /// nodes that are away are down.
  [[nodiscard]] Change set_expected(std::uint32_t expected) noexcept;

  [[nodiscard]] const QuorumConfig& config() const noexcept { return config_; }
  [[nodiscard]] const Outcome& outcome() const noexcept { return outcome_; }
  [[nodiscard]] const ViewId& view() const noexcept { return view_; }
  /// Of a configured node, as its ballot said last.
  [[nodiscard]] std::uint32_t votes(NodeId node) const noexcept;
  [[nodiscard]] bool forgotten() const noexcept { return forgotten_; }
  /// Nodes whose majority the next view needs. All configured without last_man_standing.
  [[nodiscard]] NodeSet electorate() const noexcept;

  /// For a control plane that goes on beside a living data plane. It dies with the data plane:
  /// a new one has forgotten.
  [[nodiscard]] std::vector<std::byte> snapshot() const;
  /// False, and nothing changed, unless every byte is right.
  [[nodiscard]] bool restore(std::span<const std::byte> bytes);

 private:
  void settle(TimeNs now);
  void note(const wire::Electorate& electorate);

  QuorumConfig config_;
  std::size_t self_;  ///< Own index among the configured nodes.
  std::uint32_t expected_;
  Device device_;
  std::vector<std::uint32_t> votes_;  ///< By configured index.
  bool forgotten_;
  wire::Electorate settled_;
  std::vector<wire::Electorate> open_;
  ViewId view_;
  TimeNs installed_at_ = 0;
  Outcome outcome_;
};

}  // namespace phalanx::quorum
