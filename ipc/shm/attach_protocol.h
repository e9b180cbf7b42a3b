#pragma once

#include <cstddef>
#include <cstdint>

#include "ipc/shm/channel_layout.h"

namespace phalanx::shm {

/// What a client and the daemons say on `phalanx.sock` (Unix stream socket, host order). The client
/// sends one AttachRequest in one piece; the answer is one AttachReply, with descriptors when it
/// was accepted. From then on the data plane sends one byte (of any value) to wake the client, and
/// nothing else is said: hang-up means that the other side is gone.

inline constexpr std::uint64_t kAttachMagic = 0x3168637461786870;  ///< "phxatch1".
inline constexpr std::uint32_t kAttachVersion = 2;

/// Of a request: to read the shared log, if this user may and there is one.
inline constexpr std::uint32_t kWantsLog = 1;
/// Of a request: this library knows that groups may have lanes by their names. One that does not
/// would take such a group's messages to the wrong worker.
inline constexpr std::uint32_t kKnowsLaneMap = 2;

struct AttachRequest {
  std::uint64_t magic = kAttachMagic;
  std::uint32_t version = kAttachVersion;
  std::uint32_t bytes = 128;
  std::uint64_t submit_bytes = 0;  ///< Ring sizes wanted; 0: the default.
  std::uint64_t delivery_bytes = 0;
  std::uint32_t pid = 0;    ///< For people; what counts is the kernel's peer credentials.
  std::uint32_t flags = 0;  ///< kWantsLog, kKnowsLaneMap.
  char name[64] = {};       ///< The program's name, NUL-padded, for people.
  std::byte unused[24] = {};
};
static_assert(sizeof(AttachRequest) == 128);

enum class AttachStatus : std::uint32_t {
  Accepted = 0,
  Access = 1,    ///< This uid or gid may not attach.
  Version = 2,   ///< Another protocol version; the reply names ours.
  Full = 3,      ///< Too many clients.
  TryLater = 4,  ///< The data plane is not there yet.
  Malformed = 5,
};

/// Most channels of an attachment: one with each worker, which has a lane at least.
inline constexpr std::size_t kChannelsMax = kLanesMax;

/// Follows with SCM_RIGHTS when accepted: channel memory, doorbell, and bulk memory when the
/// geometry has bulk rings, and the worker's shared log when it has one, in this order, for the
/// channel with each worker. Then `mapped` MappedGroups. They and `lanes` are a LaneMap, which says
/// in which lane a group is; that lane is worker (lane mod workers)'s.
struct AttachReply {
  std::uint64_t magic = kAttachMagic;
  std::uint32_t version = kAttachVersion;
  std::uint32_t bytes = 128;
  AttachStatus status = AttachStatus::Accepted;
  std::uint32_t descriptors = 0;
  ChannelGeometry geometry{};      ///< Of each of them.
  std::uint32_t lanes = 1;         ///< Of the cluster.
  std::uint32_t more_workers = 0;  ///< Beside the first one.
  std::uint32_t mapped = 0;        ///< At most kGroupsMappedMax.
  std::byte unused[28] = {};

  [[nodiscard]] std::size_t channels() const noexcept { return std::size_t{more_workers} + 1; }
  [[nodiscard]] bool has_bulk() const noexcept {
    return geometry.submit_bulk_bytes + geometry.delivery_bulk_bytes > 0;
  }
  [[nodiscard]] bool has_log() const noexcept { return geometry.log_bytes > 0; }
  /// Descriptors of each channel.
  [[nodiscard]] std::size_t descriptors_each() const noexcept {
    return std::size_t{2} + (has_bulk() ? 1 : 0) + (has_log() ? 1 : 0);
  }
};
static_assert(sizeof(AttachReply) == 128);

inline constexpr std::size_t kAttachDescriptorsMax = 4 * kChannelsMax;

}  // namespace phalanx::shm
