#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/core/core.h"
#include "dataplane/tape/core_tape.h"
#include "dataplane/worker/port_table.h"
#include "ipc/shm/lane_map.h"

namespace phalanx::worker {

struct SubmissionLimits {
  core::LaneShare share;
  shm::LaneMap lanes;
  std::uint32_t message_bytes_max = 0;
  std::uint32_t group_state_bytes_max =
      0;                                  ///< Of all ordered joins of this node: see group_state.h.
  std::uint32_t turn_bytes = 128 * 1024;  ///< Taken from one client a turn.
};

/// Client rings -> the core. Everything a client wrote is hostile: it is copied first, then looked
/// at. A client that lies is disconnected alone; one that hung up is drained, then its leaves are
/// ordered. The worker's thread only.
class Submissions {
 public:
  Submissions(const SubmissionLimits& limits, core::Core& core, tape::CoreTape& tape,
              PortTable& ports, Mailbox& mailbox, shm::ControlWorkerEnd& control) noexcept
      : limits_(limits),
        core_(core),
        tape_(tape),
        ports_(ports),
        mailbox_(mailbox),
        control_(control) {}

  /// One turn: up to `turn_bytes` of every client, within a bound for all of them, beginning with
  /// another one each time. Returns the submissions taken.
  std::size_t take_turn() noexcept;

  /// The main thread says that the client's socket hung up.
  void hung_up(ClientPort& port) noexcept;
  /// Its ring told it so: it leaves all groups, and keeps its place until it hangs up.
  void evicted(ClientPort& port) noexcept;
  /// Leaves all groups of the port, with this reason, and takes no more from it.
  void leave_all(ClientPort& port, core::LeaveReason reason) noexcept;

  /// Before the worker sleeps, with the channels' worker_sleeping set: true when something waits
  /// that could be taken now.
  [[nodiscard]] bool something_waits() noexcept;

 private:
  enum class Outcome : std::uint8_t {
    Taken,
    Piece,  ///< A part of it: the rest follows next turn.
    NoRoom,
    Lied,
  };

  std::size_t take_from(ClientPort& port) noexcept;
  Outcome take(ClientPort& port, const shm::Submission& submission) noexcept;
  /// Arguments that fit into registers: a structure just written is slow to read as a whole.
  Outcome multicast(ClientPort& port, GroupId group, std::uint8_t flags,
                    std::span<const std::byte> payload) noexcept;
  Outcome multicast_long(ClientPort& port, const PortGroup& group, std::uint8_t flags,
                         std::span<const std::byte> payload) noexcept;
  void give_up_copy(ClientPort& port) noexcept;
  Outcome join(ClientPort& port, const shm::Submission& submission) noexcept;
  Outcome leave(ClientPort& port, GroupId group, core::LeaveReason reason) noexcept;
  void close(ClientPort& port, GroupId group) noexcept;
  Outcome refuse(ClientPort& port, GroupId group, shm::SubmissionKind kind,
                 shm::RefusedReason reason) noexcept;
  /// False while a leave found no room.
  [[nodiscard]] bool order_leaves(ClientPort& port) noexcept;
  void disconnect(ClientPort& port) noexcept;

  SubmissionLimits limits_;
  core::Core& core_;
  tape::CoreTape& tape_;
  PortTable& ports_;
  Mailbox& mailbox_;
  shm::ControlWorkerEnd& control_;
  std::size_t first_ = 0;
  std::uint64_t turn_bytes_left_ = 0;
  std::uint64_t group_state_bytes_ = 4;
  std::uint64_t cost_ = 0;                        ///< Bytes that the last take() copied.
  std::array<ClientPort*, kLanesMax> copiers_{};  ///< Whose room is reserved in each lane.
};

}  // namespace phalanx::worker
