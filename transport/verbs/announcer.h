#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"
#include "transport/verbs/announcement.h"
#include "transport/verbs/calls.h"
#include "transport/verbs/peers.h"
#include "transport/verbs/verbs_transport.h"

namespace phalanx::transport::verbs {

/// Tells the other nodes by datagrams of the kernel where this node's queue pair is, and hears
/// where theirs are: nobody can know the number of a queue pair, and without multicast there is no
/// other way to say it first. A datagram counts only from the node's configured address and port.
/// Asks those that were never heard, four times a second. One thread. Move-only.
class Announcer {
 public:
  [[nodiscard]] static Expected<Announcer, Error> open(const std::vector<VerbsNode>& nodes,
                                                       const Announcement& own);
  Announcer(Announcer&& other) noexcept;
  Announcer& operator=(Announcer&&) = delete;
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;
  ~Announcer();

  /// Takes up to kTakenMost datagrams, calls `hear(Announcement)` for each that is from whom it
  /// says, and answers who asked.
  template <typename Hear>
  void listen(Hear hear) noexcept {
    for (int i = 0; i < kTakenMost; ++i) {
      std::optional<Announcement> heard;
      if (!take(heard)) return;
      if (heard) hear(*heard);
    }
  }
  /// Whether the subnet manager gave this port another LID: then everybody is told.
  bool moved(std::uint16_t lid) noexcept;
  /// Asks every node that `peers` has not heard, when that is due.
  void ask(const Peers& peers, TimeNs now) noexcept;

  static constexpr int kTakenMost = 32;

 private:
  struct Place {
    NodeId node = 0;
    ibv_gid address{};
    std::uint16_t port = 0;
  };

  explicit Announcer(const Announcement& own) : own_(own) {}
  void tell(const Place& to, bool asks) noexcept;
  bool take(std::optional<Announcement>& heard) noexcept;

  Announcement own_;
  std::vector<Place> places_;  ///< Of the other nodes.
  int socket_ = -1;
  TimeNs due_ = 0;
};

}  // namespace phalanx::transport::verbs
