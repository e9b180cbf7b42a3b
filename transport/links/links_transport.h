#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "transport/links/link_choice.h"
#include "transport/transport.h"

namespace phalanx::transport {

/// Two transports as one: two networks, or a fabric and a network. Frames go over the healthiest of
/// them, or over both; loss of one is loss of frames, which the protocol repairs, and never a
/// death. The one that is not in use is probed, so that it is known to carry when it is needed, and
/// found when it comes back. A second copy of a frame is dropped by its receiver's replay window
/// before any cipher sees it. One thread; no allocation after open; costs a copy of each frame that
/// goes over both.
class LinksTransport final : public Transport {
 public:
  using Clock = TimeNs (*)() noexcept;
  using Wires = std::array<std::unique_ptr<Transport>, kLinksMax>;

  /// Errors: what epoll says.
  [[nodiscard]] static Expected<std::unique_ptr<LinksTransport>, Error> open(
      Wires wires, const LinkChoice::Config& config, Clock clock = &monotonic_now);

  std::size_t rx_burst(std::span<RxFrame> out) noexcept override;
  void rx_release(std::span<const RxFrame> frames) noexcept override;
  std::size_t tx_alloc(std::span<TxFrame> out) noexcept override;
  void tx_burst(std::span<const TxFrame> frames) noexcept override;
  void authenticated(NodeId sender, const RxFrame& frame) noexcept override;
  void set_members(std::span<const NodeId> members) noexcept override;
  [[nodiscard]] int wait_fd() const noexcept override { return wait_.get(); }
  [[nodiscard]] bool arm_wait() noexcept override;
  [[nodiscard]] const TransportLimits& limits() const noexcept override { return limits_; }
  [[nodiscard]] TransportCounters counters() const noexcept override;
  [[nodiscard]] TransportPorts ports() noexcept override;
  [[nodiscard]] std::size_t extended(std::span<ExtendedCounter> out) const noexcept override;

  [[nodiscard]] std::size_t links() const noexcept override { return kLinksMax; }
  [[nodiscard]] bool probe_due() noexcept override;
  void heard(NodeId sender, std::uint8_t links_heard, const RxFrame& frame) noexcept override;
  [[nodiscard]] std::uint8_t links_heard() const noexcept override { return choice_.hears(); }
  [[nodiscard]] LinkReport link(std::size_t which) noexcept override;

 private:
  static constexpr std::size_t kBurst = 64;

  LinksTransport(Wires wires, const LinkChoice::Config& config, Clock clock) noexcept;
  [[nodiscard]] bool goes_over(const TxFrame& frame, std::size_t link) const noexcept;

  Wires wires_;
  LinkChoice choice_;
  Clock clock_;
  TimeNs probe_interval_;
  std::array<TimeNs, kLinksMax> probed_at_{};
  std::size_t probed_ = 0;  ///< The link that the next probe is for.
  LinkSet used_ = 1;        ///< Of the frames lent last; they are the first one's.
  std::size_t first_ = 0;   ///< The link that is read first, in turns.
  std::string driver_;
  Fd wait_;  ///< An epoll set of both; none where one of them can only be polled.
  TransportLimits limits_;
};

}  // namespace phalanx::transport
