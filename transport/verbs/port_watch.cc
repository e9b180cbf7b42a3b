#include "transport/verbs/port_watch.h"

#include <array>
#include <cstdio>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

constexpr TimeNs kEventsOften = 20 * kMillisecond;
constexpr TimeNs kPortOften = kSecond;
constexpr std::size_t kTold = 64;

}  // namespace

PortWatch::PortWatch(const Device& device, std::uint32_t frame_bytes, Trouble& trouble)
    : device_(device), frame_bytes_(frame_bytes), trouble_(trouble), mtu_bytes_(device.mtu_bytes) {
  told_.reserve(kTold);
  ask();
}

PortWatch::Change PortWatch::look(TimeNs now) noexcept {
  if (gone_ || now < events_due_) return {};
  events_due_ = now + kEventsOften;
  const bool could = can_send();
  Change change = take_events();
  if (gone_ || change.rejoin || change.broken || now >= port_due_) {
    port_due_ = now + kPortOften;
    ask();
  }
  // Devices that tell nothing: a link that is back is an event, too.
  if (!could && can_send()) change.rejoin = true;
  change.lapsed = change.lapsed || !could || !can_send();
  return change;
}

PortWatch::Change PortWatch::take_events() noexcept {
  Change out;
  calls::AsyncEvent event;
  while (calls::take_async_event(device_.context, &event)) {
    if (event.type == IBV_EVENT_DEVICE_FATAL) {
      gone_ = true;
      trouble_.event(event.type);
    } else if (calls::is_of_port(event.type)) {
      if (event.port != device_.port) continue;
      out.rejoin = true;
      out.lapsed =
          out.lapsed || event.type == IBV_EVENT_PORT_ERR || event.type == IBV_EVENT_PORT_ACTIVE;
    } else if (event.type == IBV_EVENT_QP_FATAL || event.type == IBV_EVENT_QP_REQ_ERR ||
               event.type == IBV_EVENT_QP_ACCESS_ERR || event.type == IBV_EVENT_CQ_ERR) {
      out.broken = true;
      trouble_.event(event.type);
    }  // The rest is of connections and shared queues: there are none.
  }
  return out;
}

void PortWatch::ask() noexcept {
  ibv_port_attr port{};
  const bool answers = calls::query_port(device_.context, device_.port, &port) == 0;
  has_link_ = answers && port.state == IBV_PORT_ACTIVE;
  if (answers) mtu_bytes_ = 128U << port.active_mtu;
  if (answers && device_.is_infiniband()) lid_ = port.lid;
  fits_ = mtu_bytes_ >= frame_bytes_;
  ibv_gid_entry entry{};
  has_gid_ = !answers ||
             (calls::query_gid(device_.context, device_.port, device_.gid.gid_index, &entry) == 0 &&
              same(entry.gid, device_.gid.gid));
  std::array<char, kTold> text{};
  const char* why = gone_ ? "gone" : !has_gid_ ? "lost its address" : "mtu";
  (void)std::snprintf(text.data(), text.size(), "%.10s/%u %s", device_.name.c_str(),
                      static_cast<unsigned>(device_.port), why);
  told_ = text.data();  // Its room is reserved.
  if (!gone_ && has_gid_) {
    told_ += " " + std::to_string(mtu_bytes_);
    if (!fits_) told_ += "<" + std::to_string(frame_bytes_);
  }
}

}  // namespace phalanx::transport::verbs
