#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "config/config.h"
#include "dataplane/daemon/worker_unit.h"
#include "dataplane/worker/client_port.h"
#include "dataplane/worker/mailbox.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/control_socket.h"
#include "ipc/shm/lane_map.h"

namespace phalanx::dataplane {

/// The main thread's side of clients: holds their sockets, answers their attach request, makes and
/// frees their channels, notices when they hang up, and wakes those that sleep. A client
/// has a channel with each worker, and goes from all of them at once. The main thread only.
class ClientKeeper {
 public:
  /// `epoll` gets the clients' sockets, with kClientTag + an index as data.
  static constexpr std::uint64_t kClientTag = std::uint64_t{1} << 32;

  /// `lanes` and `workers` are borrowed.
  ClientKeeper(const config::Config& config, const shm::LaneMap& lanes, int epoll,
               std::span<const std::unique_ptr<WorkerUnit>> workers);
  ~ClientKeeper();

  void adopt(shm::AdoptClient client, TimeNs now);
  void on_socket(std::uint64_t data, std::uint32_t events);
  void on_notices();
  /// Drops those that connected and said nothing, and those that stay although they were evicted.
  void on_time(TimeNs now);
  [[nodiscard]] bool expects_something() const noexcept { return waiting_ > 0 || evicted_ > 0; }

  /// The workers have ended: tells every client that the data plane goes.
  void say_goodbye() noexcept;

 private:
  struct Entry {
    Fd socket;
    shm::AdoptClient peer;
    TimeNs request_due = 0;  ///< 0: it has a channel.
    TimeNs close_due = 0;  ///< It was evicted, and may read what is left until then; 0: it was not.
    bool gone = false;     ///< The workers were told that it hung up.
    /// One with each worker; none before it is attached.
    std::vector<std::unique_ptr<worker::ClientPort>> ports;
    std::size_t released = 0;  ///< So many workers have given theirs back.

    [[nodiscard]] bool attached() const noexcept { return !ports.empty(); }
  };

  void attach(std::size_t index, const shm::AttachRequest& request);
  /// Channels with all workers. False: there is no memory, or no descriptor, for them.
  [[nodiscard]] bool make_ports(Entry& entry, const shm::AttachRequest& request);
  void unwatch(const Entry& entry) noexcept;
  void on_notice(const worker::MainNotice& notice, std::size_t from);
  void evicted(Entry& entry, std::size_t by);
  void hung_up(std::size_t index);
  void drop(std::size_t index);
  [[nodiscard]] bool has_room_for(std::uint32_t uid) const noexcept;
  [[nodiscard]] std::size_t count_of(std::uint32_t uid, bool attached) const noexcept;
  [[nodiscard]] ClientId next_id();
  [[nodiscard]] std::uint64_t ring_bytes(std::uint64_t wanted) const noexcept;

  const config::Config& config_;
  const shm::LaneMap& lanes_;
  int epoll_;
  std::span<const std::unique_ptr<WorkerUnit>> workers_;
  bool fences_;                                  ///< ChannelOptions::fences.
  std::vector<std::unique_ptr<Entry>> entries_;  ///< By index; empty ones are free.
  std::array<std::uint32_t, worker::kClientsMax> index_of_slot_{};
  std::array<bool, worker::kClientsMax> slot_used_{};
  ClientId last_id_ = 0;
  std::size_t attached_ = 0;
  std::size_t waiting_ = 0;
  std::size_t evicted_ = 0;  ///< And not closed yet.
};

}  // namespace phalanx::dataplane
