// From the handle's events to the core.

#include "ipc/base/time_ns.h"
#include "ipc/client/handle.h"
#include "ipc/client/replica/replica.h"
#include "ipc/shm/group_id.h"

namespace phalanx::client::replica {
namespace {

namespace core = phalanx::replica;

phx_replica& of(void* context) noexcept { return *static_cast<phx_replica*>(context); }

void on_message(void* context, phx_handle, const phx_message* message) {
  phx_replica& self = of(context);
  if (message->group != self.group) return;
  const Stopwatch watch(self);
  self.replica.on_message({message->node, message->client},
                          {static_cast<const std::byte*>(message->data), message->bytes},
                          monotonic_now());
}

void on_group_view(void* context, phx_handle handle, const phx_group_view* view) {
  phx_replica& self = of(context);
  phx_member id{};
  if (view->group != self.group || phx_local_id(handle, &id) != PHX_OK) return;
  core::Array<core::MemberId> members;
  core::Array<core::MemberId> left;
  core::Array<core::Joined> joined;
  for (std::size_t i = 0; i < view->member_count; ++i)
    members.push_back({view->members[i].node, view->members[i].client});
  for (std::size_t i = 0; i < view->left_count; ++i)
    left.push_back({view->left[i].node, view->left[i].client});
  for (std::size_t i = 0; i < view->joined_count; ++i) {
    const phx_member& who = view->joined[i];
    joined.push_back({{who.node, who.client}, who.reason == PHX_REASON_NODE_JOINED});
  }
  self.members = members.size();
  self.replica.on_group_view({id.node, id.client}, {members.begin(), members.size()},
                             {left.begin(), left.size()}, {joined.begin(), joined.size()},
                             monotonic_now());
}

void on_node_view(void* context, phx_handle, const phx_node_view* view) {
  phx_replica& self = of(context);
  const TimeNs now = monotonic_now();
  if ((view->flags & PHX_FLAG_TRANSITIONAL) != 0) return self.replica.on_transitional(now);
  self.replica.on_node_view(view->sequence, (view->flags & PHX_FLAG_QUORATE) != 0, now);
}

void on_connection(void* context, phx_handle, const phx_connection* connection) {
  phx_replica& self = of(context);
  switch (connection->event) {
    case PHX_EVENT_DISCONNECTED:
      self.replica.on_disconnected(monotonic_now());
      return;
    case PHX_EVENT_EVICTED:  // The group is gone; it is joined again when this callback is over.
      self.replica.on_disconnected(monotonic_now());
      self.rejoin = true;
      return;
    case PHX_EVENT_REFUSED:
      self.refused = connection->status;
      return;
    case PHX_EVENT_ATTACHED:
      if (!is_in_first_lane(self.handle, self.options)) self.refused = PHX_WRONG_LANE;
      return;
    case PHX_EVENT_SENDABLE:
      return;
  }
}

}  // namespace

bool is_in_first_lane(phx_handle handle, const phx_replica_options& options) noexcept {
  if (options.group_bytes == 0 || options.group_bytes > PHX_GROUP_NAME_BYTES_MAX) return true;
  const Sending sending(handle);
  return !sending ||
         sending.handle().channels.lane_of(shm::group_id(options.group, options.group_bytes)) == 0;
}

phx_callbacks callbacks_of() noexcept {
  return {.message = on_message,
          .group_view = on_group_view,
          .node_view = on_node_view,
          .connection = on_connection};
}

}  // namespace phalanx::client::replica
