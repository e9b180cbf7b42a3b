#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/wire/device_word.h"
#include "transport/wire/order_word.h"

namespace phalanx::wire {

struct ClusterKey;
struct KeyRing;

/// Datagrams between control planes, over the kernel's UDP on the management address. All but
/// Orders have one size, and all one layout (deploy/doc/wire.md): a clear head that is
/// authenticated, a sealed body, a tag. The key is the boot key of the process that seals; the
/// nonce is kManagementNonceSpace and the counter, which nothing else of that process uses.
enum class ManagementKind : std::uint8_t {
  Vouch = 1,     ///< "My worker lives": from a control plane, every dead_after / 4.
  Obituary = 2,  ///< "The worker with this boot id is dead": sealed by that worker's own process,
                 ///< at its start, with counter 0; sent by whoever learns of its death.
  Ask = 3,       ///< "Do you vote for this view?": from a control plane to the quorum device.
  Answer = 4,    ///< The quorum device's, to whoever asked.
  Order = 5,     ///< An administrator's, or what became of it: between control planes.
};

inline constexpr std::size_t kManagementBytes = 88;
/// Of an Order, which has a text.
inline constexpr std::size_t kOrderTextBytes = 512;
inline constexpr std::size_t kOrderBytes = kManagementBytes + kOrderTextBytes;
inline constexpr std::uint32_t kManagementNonceSpace = 0xFFFFFFFF;
/// Seals for the quorum device. No configured node has this id.
inline constexpr NodeId kDeviceNode = 0xFFFFFFFF;

struct ManagementMessage {
  ManagementKind kind = ManagementKind::Vouch;
  Member sealer;  ///< The node, and the boot id of the process that sealed it.
  std::uint64_t counter = 0;
  BootId worker;  ///< The data plane's. Equal to the sealer's in an obituary.
  std::uint64_t config_hash = 0;
  bool link_up = true;  ///< False: do not count on this worker, its node's link is down.
  DeviceWord device;    ///< Of an Ask or Answer, which hold no worker and no link.
  OrderWord order;      ///< Of an Order, likewise.

  friend bool operator==(const ManagementMessage&, const ManagementMessage&) = default;
};

/// Why a datagram was not taken.
enum class ManagementFault : std::uint8_t {
  Malformed,  ///< Not ours, or fields that no correct node writes.
  Version,    ///< Another version of this protocol.
  Key,        ///< Sealed with another cluster key.
  Tag,        ///< Changed on its way, or forged.
};

/// Where a datagram and its receiver differ, to be shown to an operator. Nothing of it is proven.
struct ManagementDifference {
  std::uint64_t theirs = 0;
  std::uint64_t mine = 0;

  friend bool operator==(const ManagementDifference&, const ManagementDifference&) = default;
};

/// Seals and opens management datagrams. Cold: it allocates. Single-threaded.
class ManagementSeal {
 public:
  /// `insecure`: same layout, nothing hidden. The key is copied and wiped at the end.
  ManagementSeal(const ClusterKey& key, bool insecure);
  ManagementSeal(ManagementSeal&&) noexcept;
  ManagementSeal& operator=(ManagementSeal&&) noexcept;
  ~ManagementSeal();

  /// Holds these cluster keys from now on: opens what either sealed.
  void hold(std::shared_ptr<const KeyRing> ring);
  [[nodiscard]] bool has_next() const noexcept;

  /// Which of the cluster keys that it holds.
  enum class With : std::uint8_t { Current, Next };
  /// The caller never uses a (sealer, counter) pair twice. Without a next key, with the current
  /// one.
  [[nodiscard]] std::vector<std::byte> seal(const ManagementMessage& message,
                                            With with = With::Current) const;
  /// Says nothing about replays: the counter of each sealer is the caller's to watch. `with`: which
  /// key it was sealed with, when it opened.
  [[nodiscard]] Expected<ManagementMessage, ManagementFault> open(
      std::span<const std::byte> datagram, With* with = nullptr) const;
  /// Of a datagram that open() refused for its version: both versions; for its key: both key tags.
  [[nodiscard]] ManagementDifference difference(ManagementFault fault,
                                                std::span<const std::byte> datagram) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The obituary that a data plane leaves in its control segment at start.
[[nodiscard]] std::vector<std::byte> seal_obituary(const ManagementSeal& seal, Member self,
                                                   std::uint64_t config_hash);

}  // namespace phalanx::wire
