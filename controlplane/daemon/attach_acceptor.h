#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"
#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/control_socket.h"

namespace phalanx::controlplane {

/// Accepts clients on phalanx.sock and decides who may attach, by the kernel's word on who they are
/// and before any memory is made for them. Those who may are handed on, the others are told why
/// not.
class AttachAcceptor {
 public:
  struct Handlers {
    /// Only those that the ACL admits; the data plane counts them. False: none takes it now.
    std::function<bool(const shm::AdoptClient&)> hand_over;
  };

  /// `log_readers`: who, of those, may read the shared log.
  AttachAcceptor(EventLoop& loop, Fd listener, security::Acl acl, security::Acl log_readers,
                 Handlers handlers);

  /// For those who come from now on.
  void set_acl(security::Acl acl, security::Acl log_readers) {
    acl_ = std::move(acl);
    log_readers_ = std::move(log_readers);
  }

  [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  void on_ready();
  void decide(Fd client);

  Fd listener_;
  security::Acl acl_, log_readers_;
  Handlers handlers_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  Watch watch_;
};

}  // namespace phalanx::controlplane
