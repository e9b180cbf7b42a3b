#pragma once

#include <cstdint>
#include <optional>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/verbs/device.h"
#include "transport/verbs/group_membership.h"

namespace phalanx::transport::verbs {

struct QueuePairOptions {
  std::optional<ibv_gid> group;  ///< None: it hears unicast only.
  std::uint32_t qkey = 0;
  std::uint8_t service_level = 0;
  std::uint32_t receives = 0;  ///< What either queue holds.
  std::uint32_t sends = 0;
  std::uint32_t pieces = 1;  ///< Of memory that a send is gathered from, at most.
};

/// One UD queue pair with its completion queues, in one multicast group or none. Move-only. Cold,
/// but for the handles that it lends.
class QueuePair {
 public:
  [[nodiscard]] static Expected<QueuePair, Error> create(const Device& device,
                                                         const QueuePairOptions& options);
  QueuePair(QueuePair&& other) noexcept;
  QueuePair& operator=(QueuePair&&) = delete;
  QueuePair(const QueuePair&) = delete;
  QueuePair& operator=(const QueuePair&) = delete;
  ~QueuePair();

  /// Forgets what is posted on either queue. Number and group stay: no peer notices. False, with
  /// errno: the device refuses, and the queue pair is as broken as before.
  bool reset() noexcept;
  /// Joins its group anew, at the fabric and at the adapter: a port that was down, or a subnet
  /// manager that changed, may have forgotten it. False: not yet, try again later.
  bool rejoin(TimeNs now) noexcept;
  /// After a rejoin() that did not succeed: nobody refused yet.
  [[nodiscard]] bool is_waiting() const noexcept {
    return membership_.has_value() && membership_->is_waiting();
  }
  /// From INIT, with receives posted already, to a state that sends.
  bool start() noexcept;

  ibv_qp* qp = nullptr;
  ibv_cq* sends = nullptr;
  ibv_cq* receives = nullptr;
  ibv_comp_channel* channel = nullptr;  ///< Of `receives`.
  ibv_ah* group = nullptr;              ///< Null without one.
  std::uint32_t inline_bytes = 0;

 private:
  QueuePair(const Device& device, const QueuePairOptions& options);
  bool init() noexcept;
  [[nodiscard]] std::optional<Error> join(const Device& device);
  [[nodiscard]] ibv_ah* make_group_handle() const noexcept;
  void detach() noexcept;

  QueuePairOptions options_;
  ibv_pd* pd_;
  std::uint16_t pkey_index_;
  std::uint8_t port_;
  std::uint8_t gid_index_;
  std::optional<GroupMembership> membership_;
  std::optional<ibv_ah_attr> attached_;  ///< To which group: the subnet manager may move it.
  ibv_ah* old_group_ = nullptr;          ///< Replaced, perhaps still used by what was posted.
};

/// Where a UD send to `gid` through this port goes; `lid` on InfiniBand, else 0. Null with errno
/// set.
[[nodiscard]] ibv_ah* make_handle(const Device& device, std::uint8_t service_level,
                                  const ibv_gid& gid, std::uint16_t lid) noexcept;

}  // namespace phalanx::transport::verbs
