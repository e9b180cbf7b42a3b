#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::transport {

/// Received bytes lent by the transport, valid until rx_release(). Nobody frees them in any other
/// way.
struct RxFrame {
  std::span<const std::byte> bytes;  ///< What follows the transport's own headers.
  void* cookie = nullptr;            ///< The driver's own buffer (rte_mbuf, work request...).
};

/// Who gets a frame. `Members` are those of the last set_members(), without this node; `Everyone`
/// is every configured node but this one, known or not (hellos).
struct Destination {
  enum class Kind : std::uint8_t { Peer, Members, Everyone };
  Kind kind = Kind::Members;
  NodeId peer = 0;  ///< For Peer.

  friend bool operator==(const Destination&, const Destination&) = default;
};

/// Over which links a frame goes, where there are several.
enum class Spread : std::uint8_t {
  Used,   ///< Those in use.
  Probe,  ///< One that was not probed for a while: a proof of life, by which it is known to carry.
  Every,  ///< All of them.
};

/// An empty buffer borrowed for sending. tx_burst() takes it back, sent or not.
struct TxFrame {
  std::span<std::byte> bytes;  ///< At least frame_bytes_max long when lent.
  std::size_t length = 0;      ///< Written by the caller, all of it in `bytes` but for `gathered`.
  Destination to;
  Spread spread = Spread::Used;
  bool can_wait = false;          ///< A receiver that sleeps need not be woken for it.
  std::uint32_t gathered_at = 0;  ///< Where in the frame `gathered` goes; 0: all is in `bytes`.
  void* cookie = nullptr;
  /// A part of the frame in memory that the transport was lent. It is read some time after
  /// tx_burst(), and goes out as it is then: a receiver must be able to tell when it was changed.
  std::span<const std::byte> gathered;
};

/// Fixed once the queue is open. The core reads these numbers, never the type behind them.
struct TransportLimits {
  std::uint32_t frame_bytes_max = 0;  ///< Frame header and tag included.
  std::uint32_t burst_frames_max = 0;
  std::uint32_t rx_ring_frames =
      0;  ///< Windows are kept below this (DESIGN: never loss by design).
};

/// Since the queue was opened. A copy for each of five peers counts as five sent frames.
struct TransportCounters {
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_overflow =
      0;  ///< Lost because nobody read in time; 0 where the wire cannot tell.
  std::uint64_t rx_refused = 0;  ///< Our own, or longer than frame_bytes_max.
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_refused = 0;  ///< What the wire did not take.
};

/// A counter of a driver's own, by the driver's name for it.
struct ExtendedCounter {
  char name[56] = {};  ///< Ends with a zero.
  std::uint64_t value = 0;
};

/// What a transport stands on, for whoever shows it.
struct TransportPorts {
  const char* driver = "";  ///< Lives as long as the transport.
  std::uint32_t count = 0;
  std::uint32_t up = 0;  ///< With a link, as far as the driver tells.
  /// What last broke, "" if nothing ever did; lives as long as the transport.
  const char* trouble = "";
  std::uint64_t troubles = 0;  ///< How often something did.
  TimeNs trouble_at = 0;       ///< Monotonic.
};

/// One link of a transport that has several.
struct LinkReport {
  TransportPorts ports;
  TransportCounters counters;
  bool used = true;   ///< Frames for members go over it now.
  bool heard = true;  ///< Every member is heard over it that is heard at all.
};

/// One receive queue and one transmit queue, owned by exactly one worker.
/// Fan-out to all members is the transport's business: one multicast where the wire has it, one
/// copy per peer of the same sealed bytes where it has not. Frames of one node come back to it
/// never. No call blocks, allocates, logs or throws. Not thread-safe, by design.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Takes up to out.size() received frames. Returns how many it wrote; 0 is not an error. Fewer
  /// than there was room for: nothing more waits.
  virtual std::size_t rx_burst(std::span<RxFrame> out) noexcept = 0;

  /// Gives received frames back. Every frame from rx_burst() comes back here exactly once.
  virtual void rx_release(std::span<const RxFrame> frames) noexcept = 0;

  /// Borrows empty buffers to write into. Returns fewer than asked when buffers run out.
  virtual std::size_t tx_alloc(std::span<TxFrame> out) noexcept = 0;

  /// Sends all frames (a prefix of those from the last tx_alloc(); the rest is given back unsent).
  /// What the wire refuses is dropped and counted: the protocol repairs loss, nothing waits here.
  virtual void tx_burst(std::span<const TxFrame> frames) noexcept = 0;

  /// Lends memory for TxFrame::gathered, all of it in one call before the first frame; it has to
  /// outlive the transport. False: this wire sends from its own buffers only. An error says what
  /// this process would have to be allowed.
  [[nodiscard]] virtual Expected<bool, Error> lend_memory(
      [[maybe_unused]] std::span<const std::span<const std::byte>> memory) {
    return false;
  }

  /// Tells that a received frame, not given back yet, was opened and is `sender`'s: what its
  /// envelope says of where the sender is may be believed.
  virtual void authenticated([[maybe_unused]] NodeId sender,
                             [[maybe_unused]] const RxFrame& frame) noexcept {}

  /// Tells who the members are from now on (this node may be among them; it is skipped).
  virtual void set_members(std::span<const NodeId> members) noexcept = 0;

  /// A descriptor that becomes readable when frames wait, or -1 when this wire can only be polled.
  [[nodiscard]] virtual int wait_fd() const noexcept = 0;

  /// Called before the worker sleeps on wait_fd(), which may need to be told. False: frames wait
  /// already, do not sleep.
  [[nodiscard]] virtual bool arm_wait() noexcept { return true; }

  [[nodiscard]] virtual const TransportLimits& limits() const noexcept = 0;

  /// For whoever shows them; a wire that counts nothing says so with zeros.
  [[nodiscard]] virtual TransportCounters counters() const noexcept { return {}; }
  /// Looks anew where that is due.
  [[nodiscard]] virtual TransportPorts ports() noexcept { return {}; }

  /// Counters of the drivers' own that are over zero, as of some second; returns how many it wrote.
  [[nodiscard]] virtual std::size_t extended(
      [[maybe_unused]] std::span<ExtendedCounter> out) const noexcept {
    return 0;
  }

  /// How many networks carry the frames: transport/links. With one, nothing below is called.
  [[nodiscard]] virtual std::size_t links() const noexcept { return 1; }
  /// Bit L: this node hears its members over link L. It says so in every frame that it sends.
  [[nodiscard]] virtual std::uint8_t links_heard() const noexcept { return 0; }
  /// A link was not probed for a while. The next proof of life is to be sealed once more, for it
  /// alone (Spread::Probe): the same bytes over two links prove one of them, as the second copy
  /// falls to the receiver's replay window.
  [[nodiscard]] virtual bool probe_due() noexcept { return false; }
  /// Tells that a received frame, not given back yet, was opened and is `sender`'s, and what that
  /// says of the links it hears.
  virtual void heard([[maybe_unused]] NodeId sender, [[maybe_unused]] std::uint8_t links_heard,
                     [[maybe_unused]] const RxFrame& frame) noexcept {}
  [[nodiscard]] virtual LinkReport link([[maybe_unused]] std::size_t which) noexcept {
    return {.ports = ports(), .counters = counters()};
  }
};

/// One for each worker of a node, in their order.
using Transports = std::vector<std::unique_ptr<Transport>>;

}  // namespace phalanx::transport
