#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/recorder/event.h"
#include "ipc/recorder/layout.h"

namespace phalanx::recorder {

/// Turns a file's ticks into times of the wall clock, by the anchors that are whole.
class Clock {
 public:
  Clock() = default;
  Clock(const Anchor& earlier, const Anchor& later) : earlier_(earlier), later_(later) {}

  [[nodiscard]] bool known() const noexcept { return later_.ticks > earlier_.ticks; }
  /// Nanoseconds since 1970; 0 when the clock is not known.
  [[nodiscard]] std::uint64_t wall_of(std::uint64_t ticks) const noexcept;

 private:
  Anchor earlier_;
  Anchor later_;
};

/// What is sound of one recorder's file.
struct Ring {
  bool header_sound = false;
  FileHeader header;  ///< As it was found; zeros unless it is sound.
  Clock clock;
  std::vector<Event> events;    ///< In the order they were noted.
  std::uint64_t spoilt = 0;     ///< Slots that hold something, and no event.
  std::uint64_t cut_bytes = 0;  ///< Missing at the end, as far as the header tells.

  [[nodiscard]] std::string writer() const;
  /// Node ids of a set, by the header's list.
  [[nodiscard]] std::vector<NodeId> nodes_of(std::uint64_t set) const;
};

/// Whatever the bytes are: what checks is decoded, the rest is counted. Only events with a number
/// above `after`.
[[nodiscard]] Ring decode(std::span<const std::byte> file, std::uint64_t after = 0);

/// Reads a copy of the file, which may be written meanwhile. At most kSlotsMax events.
[[nodiscard]] Expected<Ring, Error> read_file(const std::string& path, std::uint64_t after = 0);

/// The recorders of a directory: "worker.ring", ...; with `dead`, those of earlier processes too.
/// Sorted.
[[nodiscard]] std::vector<std::string> list_files(const std::string& directory, bool dead);

}  // namespace phalanx::recorder
