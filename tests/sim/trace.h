#pragma once

#include <cstdint>
#include <cstdio>

#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"

namespace phalanx::sim {

/// The replay's output: one dense line an event, or nothing. Column key: kTraceKey.
class Trace {
 public:
  explicit Trace(std::FILE* out = nullptr) noexcept : out_(out) {}
  [[nodiscard]] bool on() const noexcept { return out_ != nullptr; }
  void set_time(TimeNs now) noexcept { now_ = now; }

  /// `format` continues the line after time, node and event name.
  [[gnu::format(printf, 4, 5)]] void line(NodeId node, const char* event, const char* format, ...);

 private:
  std::FILE* out_;
  TimeNs now_ = 0;
};

inline constexpr char kTraceKey[] =
    "# TIME_US NODE EVENT DETAIL, one event a line, in the order in which it happened.\n"
    "# boot/dead   incarnation (node#ordinal), what died      step   what the script does\n"
    "# tx/rx       frame type, lane, @position +bytes, to/from; rx ends with the verdict\n"
    "# sub         lane, index, kind, @stream position +bytes, s when safe\n"
    "# dlv         lane, view sequence:index, kind, origin @stream position, ~ in a transitional "
    "part\n"
    "# ctl         control message to/from the membership machine: kind, peer, bytes\n"
    "# act         what the membership machine asked for: freeze, recover, install, sends, "
    "reserve\n"
    "# state       state of the machine, view, attempt\n";

[[nodiscard]] const char* frame_name(std::uint8_t type) noexcept;
[[nodiscard]] const char* record_name(std::uint8_t kind) noexcept;
[[nodiscard]] const char* message_name(std::uint8_t kind) noexcept;
[[nodiscard]] const char* verdict_name(std::uint8_t verdict) noexcept;

}  // namespace phalanx::sim
