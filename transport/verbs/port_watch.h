#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/time_ns.h"
#include "transport/transport.h"
#include "transport/verbs/device.h"
#include "transport/verbs/trouble.h"

namespace phalanx::transport::verbs {

/// What became of an open port: its link, its MTU, its address, and whether the device is there at
/// all. Asks the kernel for events every 20 ms at most, for the port itself after one and every
/// second. One thread, the worker's.
class PortWatch {
 public:
  PortWatch(const Device& device, std::uint32_t frame_bytes, Trouble& trouble);

  struct Change {
    bool rejoin = false;  ///< Groups that were joined may be forgotten.
    bool lapsed = false;  ///< The port could not send, now or since the last look.
    bool broken = false;  ///< The queue pair is.
  };
  /// Cheap where nothing is due. `now`: monotonic.
  Change look(TimeNs now) noexcept;
  /// The next look() is due at once: the device woke the worker, or something failed.
  void suspect() noexcept { events_due_ = 0; }

  [[nodiscard]] bool is_gone() const noexcept { return gone_; }
  [[nodiscard]] bool can_send() const noexcept { return !gone_ && has_link_ && fits_ && has_gid_; }
  /// On InfiniBand; else 0. The subnet manager may give another one.
  [[nodiscard]] std::uint16_t lid() const noexcept { return lid_; }
  /// "rxe0/1 mtu 1024", or why it carries nothing.
  [[nodiscard]] const char* told() const noexcept { return told_.c_str(); }

 private:
  [[nodiscard]] Change take_events() noexcept;
  void ask() noexcept;

  const Device& device_;
  std::uint32_t frame_bytes_;
  Trouble& trouble_;
  std::uint32_t mtu_bytes_;
  std::uint16_t lid_ = 0;
  TimeNs events_due_ = 0;
  TimeNs port_due_ = 0;
  bool gone_ = false;
  bool has_link_ = true;
  bool fits_ = true;     ///< A frame fits the MTU.
  bool has_gid_ = true;  ///< The address is still where it was.
  std::string told_;
};

}  // namespace phalanx::transport::verbs
