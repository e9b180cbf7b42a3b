#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// Answers on watch.sock (SOCK_SEQPACKET): whoever may attach connects and gets one packet, the
/// status as JSON with the descriptor of the data plane's statistics memory, and a hang-up. Reads
/// nothing, keeps no connection, and computes the status at most every kAge however many ask.
class WatchServer {
 public:
  static constexpr TimeNs kAge = 5 * kMillisecond;

  struct Sources {
    std::function<std::string()> status;  ///< JSON.
    std::function<int()> statistics;      ///< Borrowed; -1: there is no data plane.
  };

  /// `guest`: a user that may look though it may not attach.
  WatchServer(EventLoop& loop, Fd listener, security::Acl acl, std::uint32_t guest,
              Sources sources);

  /// For those who come from now on.
  void set_acl(security::Acl acl) { acl_ = std::move(acl); }

  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  void on_connect();
  void answer(int client);

  Fd listener_;
  security::Acl acl_;
  std::uint32_t guest_;
  Sources sources_;
  std::string status_;
  TimeNs status_at_ = 0;
  std::uint64_t refused_ = 0;
  Watch watch_;
};

}  // namespace phalanx::controlplane
