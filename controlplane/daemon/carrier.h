#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "config/config.h"
#include "controlplane/daemon/event_loop.h"

namespace phalanx::controlplane {

/// Knows whether the interface that owns an address can carry frames: it still has the address, is
/// up and has a carrier. Told by the kernel (rtnetlink) as it changes. Says "up" where the kernel
/// tells nothing: of a wildcard, and of an address that no interface has had yet.
class Carrier {
 public:
  /// Calls `changed` whenever is_up() has another answer.
  Carrier(EventLoop& loop, const config::Endpoint& address, std::function<void()> changed);

  [[nodiscard]] bool is_up() const noexcept { return up_; }
  /// Of the interface; "none" while no interface owns the address.
  [[nodiscard]] const std::string& interface() const noexcept { return interface_; }

 private:
  void drain();
  void look();

  config::Endpoint address_;
  std::function<void()> changed_;
  std::string interface_ = "none";
  bool up_ = true;
  bool owned_ = false;  ///< Some interface has had the address.
  Fd fd_;
  Watch watch_;
};

}  // namespace phalanx::controlplane
