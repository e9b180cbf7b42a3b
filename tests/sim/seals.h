#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/core/core.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/frame_seal.h"
#include "transport/wire/header.h"

namespace phalanx::sim {

/// A frame that passed the checks before the tag.
struct Arrival {
  wire::FrameHeader header;
  Member from;                        ///< Of a control frame.
  bool addressed = false;             ///< A control frame that names this incarnation.
  std::span<const std::byte> sealed;  ///< As long as what open() writes.
  std::span<const std::byte> frame;
  wire::CheckedFrame checked;  ///< Of the production seals.

  [[nodiscard]] bool is_control() const noexcept { return header.type == wire::FrameType::Control; }
};

/// The cluster keys that a node holds, by id: one, or two while they are rotated.
struct KeysHeld {
  std::uint32_t lowest = 1;
  std::uint32_t next = 0;  ///< 0: none.
};

/// How a node's frames are sealed and opened: by a stand-in that costs little and lets every
/// duplicate through to the core, or by transport/wire as in production, replay window and all.
class Seals {
 public:
  virtual ~Seals() = default;

  virtual void begin_turn(TimeNs now) = 0;
  virtual void hold(const KeysHeld& keys) = 0;
  [[nodiscard]] virtual bool holds(std::uint32_t key_id) const = 0;
  virtual void install(const ViewId& view, std::span<const Member> members,
                       std::uint32_t key_id) = 0;

  /// How many frames a hello to all takes: one under each cluster key.
  [[nodiscard]] virtual std::size_t hellos() const = 0;
  /// These return the length of the frame in `out`. `which` of the hellos to all it is.
  virtual std::size_t seal_data(const core::TxItem& item, std::span<std::byte> out) = 0;
  /// The same frame but for its payload, which stays where it is: header and tag alone.
  virtual void seal_around(const core::TxItem& item,
                           std::span<std::byte, wire::kOverheadBytes> out) = 0;
  virtual std::size_t seal_control(const BootId& receiver, std::span<const std::byte> message,
                                   std::span<std::byte> out, std::size_t which) = 0;
  /// Names the key of a frame that this node sealed, as an onlooker tells keys apart.
  [[nodiscard]] virtual std::uint64_t key_of(const wire::FrameHeader& header) const = 0;

  [[nodiscard]] virtual bool check(std::span<const std::byte> frame, Arrival& out) = 0;
  /// Writes to `target` whether the tag compares or not, as a cipher does.
  [[nodiscard]] virtual bool open(Arrival& arrival, std::byte* target) = 0;
  /// Whether a frame is opened once at most.
  [[nodiscard]] virtual bool refuses_replays() const = 0;
};

/// Of one cluster key, for ever.
[[nodiscard]] std::unique_ptr<Seals> make_model_seals(Member self, std::size_t nodes, LaneId lanes);
[[nodiscard]] std::unique_ptr<Seals> make_real_seals(Member self, std::size_t nodes, LaneId lanes,
                                                     const KeysHeld& keys);

}  // namespace phalanx::sim
