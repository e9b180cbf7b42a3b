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

ibv_ah* make_handle(const Device& device, std::uint8_t service_level, const ibv_gid& gid,
                    std::uint16_t lid) noexcept {
  ibv_ah_attr attributes{};
  attributes.is_global = 1;  // On InfiniBand too: receivers know a sender by its GID.
  attributes.dlid = lid;
  attributes.port_num = device.port;
  attributes.sl = service_level;
  attributes.grh.dgid = gid;
  attributes.grh.sgid_index = static_cast<std::uint8_t>(device.gid.gid_index);
  attributes.grh.hop_limit = kHopLimit;
  return calls::create_ah(device.pd, &attributes);
}

QueuePair::QueuePair(const Device& device, const QueuePairOptions& options)
    : options_(options),
      pd_(device.pd),
      pkey_index_(device.pkey_index),
      port_(device.port),
      gid_index_(static_cast<std::uint8_t>(device.gid.gid_index)) {}

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
                    .max_send_sge = options.pieces,
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
  auto joined = GroupMembership::join(device, *options_.group);
  if (!joined) return std::move(joined.error());
  membership_.emplace(std::move(*joined));
  const ibv_ah_attr& at = membership_->at();
  const std::string attempted = "cannot join the multicast group " + text(at.grh.dgid);
  if (const int error = calls::attach_mcast(qp, &at.grh.dgid, at.dlid); error != 0) {
    return system_error(attempted, "ibv_attach_mcast", error,
                        "see max_mcast_qp_attach in ibv_devinfo -v; or set "
                        "transport.multicast = "
                        "\"\" on all nodes to send copies");
  }
  attached_ = at;
  group = make_group_handle();
  if (group == nullptr) return system_error(attempted, "ibv_create_ah", errno);
  return std::nullopt;
}

/// As the subnet manager wants it on InfiniBand; on Ethernet the service level is the priority.
ibv_ah* QueuePair::make_group_handle() const noexcept {
  ibv_ah_attr attributes = membership_->at();
  if (attributes.dlid == 0) attributes.sl = options_.service_level;
  attributes.is_global = 1;
  attributes.port_num = port_;
  attributes.grh.sgid_index = gid_index_;
  attributes.grh.hop_limit = kHopLimit;
  return calls::create_ah(pd_, &attributes);
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

void QueuePair::detach() noexcept {
  if (attached_) calls::detach_mcast(qp, &attached_->grh.dgid, attached_->dlid);
  attached_.reset();
}

bool QueuePair::rejoin(TimeNs now) noexcept {
  if (!membership_) return true;
  if (!membership_->again(now)) return false;
  detach();
  const ibv_ah_attr& at = membership_->at();
  if (calls::attach_mcast(qp, &at.grh.dgid, at.dlid) != 0) return false;
  attached_ = at;
  if (at.dlid == 0) return true;  // On Ethernet a group stays where it was.
  ibv_ah* made = make_group_handle();
  if (made == nullptr) return false;
  if (old_group_ != nullptr) calls::destroy_ah(old_group_);
  old_group_ = std::exchange(group, made);
  return true;
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
      pd_(other.pd_),
      pkey_index_(other.pkey_index_),
      port_(other.port_),
      gid_index_(other.gid_index_),
      membership_(std::move(other.membership_)),
      attached_(std::exchange(other.attached_, std::nullopt)),
      old_group_(std::exchange(other.old_group_, nullptr)) {}

QueuePair::~QueuePair() {
  if (group != nullptr) calls::destroy_ah(group);
  if (old_group_ != nullptr) calls::destroy_ah(old_group_);
  detach();
  membership_.reset();
  if (qp != nullptr) calls::destroy_qp(qp);
  if (receives != nullptr) calls::destroy_cq(receives);
  if (sends != nullptr) calls::destroy_cq(sends);
  if (channel != nullptr) calls::destroy_comp_channel(channel);
}

}  // namespace phalanx::transport::verbs
