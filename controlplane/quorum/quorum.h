#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/quorum/orders.h"
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

  /// Before each ballot, where there is a device.
  void on_device(Device device) noexcept { device_ = device; }
  [[nodiscard]] const Device& device() const noexcept { return device_; }
  /// Could a view of these nodes be quorate with the device's votes? Else it is not to be asked:
  /// what it grants to one it refuses to others.
  [[nodiscard]] bool may_ask_device(NodeSet nodes) const noexcept;
  /// The same, and they have too few votes without it.
  [[nodiscard]] bool needs_device(NodeSet nodes) const noexcept;
  /// These members as bits of configured nodes.
  [[nodiscard]] NodeSet nodes_of(std::span<const Member> members) const noexcept;
  /// An order at run time. What it would come to in the view that is installed; if it may be
  /// carried out it is in each ballot from now on, until a view has ruled on it: see that there is
  /// a new one.
  [[nodiscard]] Ruling propose(const wire::Order& order);
  [[nodiscard]] bool proposes() const noexcept { return order_.kind != wire::Order::Kind::None; }
  /// No view takes it up any more, but for one that has the ballot already.
  void withdraw() noexcept { order_ = {}; }
  /// What became of the own order, once an installed view has ruled on it.
  [[nodiscard]] std::optional<Ruling> take_ruling() noexcept {
    return std::exchange(ruling_, std::nullopt);
  }

  [[nodiscard]] const QuorumConfig& config() const noexcept { return config_; }
  [[nodiscard]] const Outcome& outcome() const noexcept { return outcome_; }
  [[nodiscard]] const ViewId& view() const noexcept { return view_; }
  /// Of a configured node, at the newest change that this node knows.
  [[nodiscard]] std::uint32_t votes(NodeId node) const noexcept;
  /// Votes changed at run time; its revision is 0 where they are as configured.
  [[nodiscard]] const wire::Amendment& amendment() const noexcept { return amendment_; }
  [[nodiscard]] bool forgotten() const noexcept { return forgotten_; }
  /// Nodes whose majority the next view needs. All configured without last_man_standing.
  [[nodiscard]] NodeSet electorate() const noexcept;

  /// For a control plane that goes on beside a living data plane. It dies with the data plane:
  /// a new one has forgotten.
  [[nodiscard]] std::vector<std::byte> snapshot() const;
  /// False, and nothing changed, unless every byte is right.
  [[nodiscard]] bool restore(std::span<const std::byte> bytes);

 private:
  [[nodiscard]] bool are_enough(NodeSet nodes, std::uint32_t more) const noexcept;
  void adopt(const wire::Plan& plan);
  void settle(TimeNs now);
  void note(const wire::Electorate& electorate);

  QuorumConfig config_;
  NodeId self_;
  Device device_;
  wire::Amendment amendment_;
  wire::Order order_;             ///< Own, that no view has ruled on.
  std::optional<Ruling> ruling_;  ///< On the own order.
  bool forgotten_;
  wire::Electorate settled_;
  std::vector<wire::Electorate> open_;
  ViewId view_;
  TimeNs installed_at_ = 0;
  Outcome outcome_;
};

}  // namespace phalanx::quorum
