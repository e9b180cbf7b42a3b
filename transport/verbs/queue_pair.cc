#include "transport/verbs/queue_pair.h"

#include <cerrno>
#include <utility>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::uint32_t kInlineBytes = 128;  ///< Acknowledgements and hellos; most adapters do.
constexpr std::uint8_t kHopLimit = 64;

Error no_queue_pair(const Device& device, const char* call, int error) {
  return system_error("cannot make a UD queue pair on " + device.name, call, error,
                      "see whether other programs hold its resources: rdma resource");
}

}  // namespace

ibv_ah* make_handle(ibv_pd* pd, std::uint8_t port, std::uint8_t gid_index,
                    std::uint8_t service_level, const ibv_gid& gid) noexcept {
  ibv_ah_attr attributes{};
  attributes.is_global = 1;
  attributes.port_num = port;
  attributes.sl = service_level;
  attributes.grh.dgid = gid;
  attributes.grh.sgid_index = gid_index;
  attributes.grh.hop_limit = kHopLimit;
  return calls::create_ah(pd, &attributes);
}

QueuePair::QueuePair(const Device& device, const QueuePairOptions& options)
    : options_(options),
      pkey_index_(device.pkey_index),
      port_(device.port),
      gid_index_(static_cast<std::uint8_t>(device.gid.gid_index)),
      interface_(device.gid.ndev_ifindex) {}

Expected<QueuePair, Error> QueuePair::create(const Device& device,
                                             const QueuePairOptions& options) {
  QueuePair out(device, options);
  const int sends = static_cast<int>(options.sends);
  const int receives = static_cast<int>(options.receives);
  out.channel = calls::create_comp_channel(device.context);
  if (out.channel == nullptr) return fail(no_queue_pair(device, "ibv_create_comp_channel", errno));
  out.sends = calls::create_cq(device.context, sends, nullptr);
  if (out.sends == nullptr) return fail(no_queue_pair(device, "ibv_create_cq", errno));
  out.receives = calls::create_cq(device.context, receives, out.channel);
  if (out.receives == nullptr) return fail(no_queue_pair(device, "ibv_create_cq", errno));
  ibv_qp_init_attr attributes{};
  attributes.qp_type = IBV_QPT_UD;
  attributes.send_cq = out.sends;
  attributes.recv_cq = out.receives;
  attributes.cap = {.max_send_wr = options.sends,
                    .max_recv_wr = options.receives,
                    .max_send_sge = 1,
                    .max_recv_sge = 1,
                    .max_inline_data = kInlineBytes};
  out.qp = calls::create_qp(device.pd, &attributes);
  if (out.qp == nullptr) {  // Not every device takes data in the work request.
    attributes.cap.max_inline_data = 0;
    out.qp = calls::create_qp(device.pd, &attributes);
  }
  if (out.qp == nullptr) return fail(no_queue_pair(device, "ibv_create_qp", errno));
  out.inline_bytes = attributes.cap.max_inline_data;
  if (!out.init()) return fail(no_queue_pair(device, "ibv_modify_qp", errno));
  if (!options.group) return out;
  if (auto error = out.join(device)) return fail(std::move(*error));
  return out;
}

std::optional<Error> QueuePair::join(const Device& device) {
  const std::string attempted = "cannot join the multicast group " + text(*options_.group);
  const std::string otherwise = "; or set transport.multicast = \"\" on all nodes to send copies";
  membership_ = calls::join_group(device.gid.ndev_ifindex, *options_.group);
  if (membership_ < 0) {
    return system_error(attempted, "setsockopt", errno,
                        "see whether the interface of " + device.name +
                            " is up, and net.ipv4.igmp_max_memberships" + otherwise);
  }
  if (const int error = calls::attach_mcast(qp, &*options_.group); error != 0) {
    return system_error(attempted, "ibv_attach_mcast", error,
                        "see max_mcast_qp_attach in ibv_devinfo -v" + otherwise);
  }
  attached_ = true;
  group = make_handle(device.pd, port_, gid_index_, options_.service_level, *options_.group);
  if (group == nullptr) return system_error(attempted, "ibv_create_ah", errno);
  return std::nullopt;
}

bool QueuePair::init() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_INIT;
  attributes.pkey_index = pkey_index_;
  attributes.port_num = port_;
  attributes.qkey = options_.qkey;
  const int error = calls::modify_qp(qp, &attributes,
                                     IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_QKEY);
  errno = error;
  return error == 0;
}

bool QueuePair::reset() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_RESET;
  const int error = calls::modify_qp(qp, &attributes, IBV_QP_STATE);
  errno = error;
  return error == 0 && init();
}

bool QueuePair::rejoin() noexcept {
  if (!options_.group) return true;
  if (attached_) calls::detach_mcast(qp, &*options_.group);
  if (membership_ >= 0) calls::leave_group(membership_);
  membership_ = calls::join_group(interface_, *options_.group);
  attached_ = calls::attach_mcast(qp, &*options_.group) == 0;
  return attached_ && membership_ >= 0;
}

bool QueuePair::start() noexcept {
  ibv_qp_attr attributes{};
  attributes.qp_state = IBV_QPS_RTR;
  if (const int error = calls::modify_qp(qp, &attributes, IBV_QP_STATE); error != 0) {
    errno = error;
    return false;
  }
  attributes.qp_state = IBV_QPS_RTS;
  attributes.sq_psn = 0;
  const int error = calls::modify_qp(qp, &attributes, IBV_QP_STATE | IBV_QP_SQ_PSN);
  errno = error;
  return error == 0;
}

QueuePair::QueuePair(QueuePair&& other) noexcept
    : qp(std::exchange(other.qp, nullptr)),
      sends(std::exchange(other.sends, nullptr)),
      receives(std::exchange(other.receives, nullptr)),
      channel(std::exchange(other.channel, nullptr)),
      group(std::exchange(other.group, nullptr)),
      inline_bytes(other.inline_bytes),
      options_(other.options_),
      pkey_index_(other.pkey_index_),
      port_(other.port_),
      gid_index_(other.gid_index_),
      interface_(other.interface_),
      attached_(std::exchange(other.attached_, false)),
      membership_(std::exchange(other.membership_, -1)) {}

QueuePair::~QueuePair() {
  if (group != nullptr) calls::destroy_ah(group);
  if (attached_) calls::detach_mcast(qp, &*options_.group);
  if (membership_ >= 0) calls::leave_group(membership_);
  if (qp != nullptr) calls::destroy_qp(qp);
  if (receives != nullptr) calls::destroy_cq(receives);
  if (sends != nullptr) calls::destroy_cq(sends);
  if (channel != nullptr) calls::destroy_comp_channel(channel);
}

}  // namespace phalanx::transport::verbs
