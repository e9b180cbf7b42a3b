#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/verbs/device.h"

namespace phalanx::transport::verbs {

/// That this port hears a multicast group, as the fabric knows it: at IP level on Ethernet, by the
/// subnet manager on InfiniBand, which gives the group its own GID, LID and service level. The
/// adapter's part is QueuePair's. Move-only. Cold.
class GroupMembership {
 public:
  /// Waits for the subnet manager, 5 s at most. `device` outlives this.
  [[nodiscard]] static Expected<GroupMembership, Error> join(const Device& device,
                                                             const ibv_gid& group);
  GroupMembership(GroupMembership&& other) noexcept;
  GroupMembership& operator=(GroupMembership&&) = delete;
  GroupMembership(const GroupMembership&) = delete;
  GroupMembership& operator=(const GroupMembership&) = delete;
  ~GroupMembership();

  /// Leaves, joins anew: librdmacm leaves what was joined last, and the kernel would answer for the
  /// subnet manager while it believes in the membership. Never waits: false until the answer is
  /// there, or it failed; then call it again later.
  bool again(TimeNs now) noexcept;
  /// Whether the subnet manager was asked and said nothing yet.
  [[nodiscard]] bool is_waiting() const noexcept { return waiting_; }
  /// Where the group is: `grh.dgid` is its GID, `dlid` its LID on InfiniBand.
  [[nodiscard]] const ibv_ah_attr& at() const noexcept { return at_; }

 private:
  GroupMembership(const ibv_gid& group, calls::Cm* cm, std::uint32_t interface)
      : group_(group), cm_(cm), interface_(interface) {}

  ibv_gid group_;
  calls::Cm* cm_;  ///< The device's; null: at IP level.
  std::uint32_t interface_;
  int socket_ = -1;       ///< Holds the membership at IP level.
  bool asked_ = false;    ///< The subnet manager: joined, or the answer is not here yet.
  bool waiting_ = false;  ///< For the answer.
  TimeNs until_ = 0;
  ibv_ah_attr at_{};
};

}  // namespace phalanx::transport::verbs
