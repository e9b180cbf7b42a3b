#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/shm/host_sockets.h"
#include "transport/shm/introduction.h"
#include "transport/shm/peer.h"

namespace phalanx::transport::shm {

/// Makes links between the nodes of this host and notices when one breaks, on a thread of its own,
/// which sleeps while all of them are up. Of two nodes the lower id listens and the higher one
/// connects, again and again, since either may be killed at any time. A socket that hangs up is a
/// process that ended.
///
/// The worker takes a link that is Ready, and lets go of one that was Cut, when changed() says so.
class Meeting {
 public:
  struct Options {
    NodeId self = 0;
    std::vector<NodeId> nodes;  ///< Every configured node; `self` among them is skipped.
    std::string directory;
    std::uint32_t frame_bytes = 0;
  };
  struct Trouble {
    const char* what = "";  ///< Lives for ever.
    std::uint64_t count = 0;
    TimeNs at = 0;
  };

  /// `frames`, a node page and `slots` slots, outlives the meeting.
  [[nodiscard]] static Expected<std::unique_ptr<Meeting>, Error> open(const Options& options,
                                                                      const Memory& frames,
                                                                      std::uint32_t slots);
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  ~Meeting();

  /// For the worker. Peers never come or go.
  [[nodiscard]] std::span<Peer> peers() noexcept { return {peers_.get(), peer_count_}; }
  [[nodiscard]] std::uint32_t changes() const noexcept {
    return changes_.load(std::memory_order_acquire);
  }
  /// Readable after a change; level-triggered, the worker reads it.
  [[nodiscard]] int worker_bell() const noexcept { return worker_bell_.get(); }
  /// The worker has let go of `peer`, whose stage was Up or Cut. `what`: why, if that is its own
  /// finding. A system call.
  void left(Peer& peer, const char* what) noexcept;
  [[nodiscard]] Trouble trouble() const noexcept;

  [[nodiscard]] static std::uint64_t frames_bytes(std::uint32_t slots, std::uint32_t frame_bytes);

 private:
  struct Guest {
    Fd socket;
    TimeNs until = 0;
  };

  Meeting(const Options& options, const Memory& frames, std::uint32_t slots);
  Expected<void, Error> listen();
  Expected<void, Error> start();
  void run() noexcept;
  bool tend(TimeNs now);
  void wait(bool all_up);
  void accept_guests(TimeNs now);
  void admit(Guest& guest);
  void connect(Peer& peer, TimeNs now);
  void answered(Peer& peer);
  bool link(Peer& peer, Introduced introduced);
  void hang_up(Peer& peer) noexcept;
  void take_apart(Peer& peer) noexcept;
  void note(const char* what) noexcept;
  void tell_worker() noexcept;

  Introduction own_;
  const Memory& frames_;
  std::string directory_;
  std::unique_ptr<Peer[]> peers_;  // NOLINT(modernize-avoid-c-arrays): atomics do not move.
  std::size_t peer_count_ = 0;
  std::vector<Guest> guests_;
  std::unique_ptr<HostSockets> sockets_;
  Fd listener_;
  TimeNs deaf_until_ = 0;  ///< No connection could be taken: the listener is not asked until then.
  Fd bell_;                ///< Stop, or a link was left.
  Fd worker_bell_;
  std::atomic<std::uint32_t> changes_{0};
  std::atomic<bool> stop_{false};
  std::atomic<const char*> trouble_{""};
  std::atomic<std::uint64_t> troubles_{0};
  std::atomic<TimeNs> trouble_at_{0};
  std::thread thread_;
};

}  // namespace phalanx::transport::shm
