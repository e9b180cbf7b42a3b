// An adapter that takes every send, reports it at once, and fills every receive
// buffer at once with a frame from 10.0.0.2: what is left is the transport's
// own work.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "transport/verbs/calls.h"
#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs::calls {
namespace {

constexpr std::uint32_t kRing = 4096;

ibv_device device_object;
std::array<ibv_device*, 2> device_list = {&device_object, nullptr};
ibv_context context_object;
ibv_pd pd_object;
ibv_mr mr_object;
ibv_cq send_queue;
ibv_cq receive_queue;
ibv_qp qp_object;
ibv_ah handle;
ibv_comp_channel channel;
std::uint64_t last_sent = 0;
std::uint64_t last_told = 0;
std::array<std::uint64_t, kRing> posted;
std::uint64_t posted_count = 0;
std::uint64_t filled_count = 0;

ibv_gid_entry own() {
  return {.gid = *gid_of("10.0.0.1"),
          .gid_index = 1,
          .port_num = 1,
          .gid_type = IBV_GID_TYPE_ROCE_V2,
          .ndev_ifindex = 1};
}

}  // namespace

ibv_device** get_device_list(int* count) {
  *count = 1;
  return device_list.data();
}
void free_device_list(ibv_device**) {}
const char* get_device_name(ibv_device*) { return "null0"; }
ibv_context* open_device(ibv_device*) { return &context_object; }
int close_device(ibv_context*) { return 0; }
int query_device(ibv_context*, ibv_device_attr* out) {
  out->max_qp_wr = out->max_cqe = kRing;
  out->max_mcast_grp = 1;
  out->max_sge = 4;
  return 0;
}
int query_port(ibv_context*, std::uint8_t, ibv_port_attr* out) {
  out->state = IBV_PORT_ACTIVE;
  out->link_layer = IBV_LINK_LAYER_ETHERNET;
  out->active_mtu = IBV_MTU_1024;
  out->pkey_tbl_len = 1;
  return 0;
}
int query_pkey(ibv_context*, std::uint8_t, int, std::uint16_t* out) {
  *out = 0xffff;
  return 0;
}
ssize_t query_gid_table(ibv_context*, ibv_gid_entry* out, std::size_t) {
  *out = own();
  return 1;
}
int query_gid(ibv_context*, std::uint32_t, std::uint32_t, ibv_gid_entry* out) {
  *out = own();
  return 0;
}
bool take_async_event(ibv_context*, AsyncEvent*) { return false; }
int async_fd(const ibv_context*) {
  static const int fd = eventfd(0, EFD_CLOEXEC);
  return fd;
}
TimeNs now() { return kSecond; }
ibv_comp_channel* create_comp_channel(ibv_context*) {
  channel.fd = eventfd(0, EFD_CLOEXEC);
  return &channel;
}
int destroy_comp_channel(ibv_comp_channel*) { return close(channel.fd); }
bool take_cq_event(ibv_comp_channel*) { return false; }
int req_notify_cq(ibv_cq*) { return 0; }
ibv_pd* alloc_pd(ibv_context*) { return &pd_object; }
int dealloc_pd(ibv_pd*) { return 0; }
ibv_mr* reg_mr(ibv_pd*, void*, std::size_t, int) { return &mr_object; }
int dereg_mr(ibv_mr*) { return 0; }
std::uint64_t lockable_bytes() { return kUnlimited; }
ibv_cq* create_cq(ibv_context*, int, ibv_comp_channel* tells) {
  return tells != nullptr ? &receive_queue : &send_queue;
}
int destroy_cq(ibv_cq*) { return 0; }
ibv_qp* create_qp(ibv_pd*, ibv_qp_init_attr*) {
  qp_object.qp_num = 42;
  return &qp_object;
}
int modify_qp(ibv_qp*, ibv_qp_attr*, int) { return 0; }
int destroy_qp(ibv_qp*) { return 0; }
int attach_mcast(ibv_qp*, const ibv_gid*, std::uint16_t) { return 0; }
int detach_mcast(ibv_qp*, const ibv_gid*, std::uint16_t) { return 0; }
ibv_ah* create_ah(ibv_pd*, ibv_ah_attr*) { return &handle; }
int destroy_ah(ibv_ah*) { return 0; }
int join_group(std::uint32_t, const ibv_gid&) { return 0; }
void leave_group(int) {}
Cm* open_cm(const ibv_gid&, CmPlace*) {
  errno = ENODEV;
  return nullptr;
}
void close_cm(Cm*) {}
int join_cm(Cm*, const ibv_gid&) { return ENODEV; }
void leave_cm(Cm*, const ibv_gid&) {}
bool take_cm_event(Cm*, int, CmEvent*) { return false; }
int open_datagrams(const ibv_gid&, std::uint16_t) { return 0; }
void close_datagrams(int) {}
bool send_datagram(int, const ibv_gid&, std::uint16_t, std::span<const std::byte>) { return true; }
bool take_datagram(int, std::span<std::byte>, Datagram*) { return false; }

int post_send(ibv_qp*, ibv_send_wr* first, ibv_send_wr**) {
  while (first->next != nullptr) first = first->next;
  last_sent = first->wr_id;
  return 0;
}

int post_recv(ibv_qp*, ibv_recv_wr* first, ibv_recv_wr**) {
  static const ibv_gid from = *gid_of("10.0.0.2");
  for (; first != nullptr; first = first->next) {
    posted[posted_count++ % kRing] = first->wr_id;
    std::memcpy(reinterpret_cast<std::byte*>(first->sg_list->addr) + 32, from.raw + 12, 4);
  }
  return 0;
}

int poll_cq(ibv_cq* cq, int room, ibv_wc* out) {
  if (cq == &send_queue) {
    if (last_told == last_sent) return 0;
    out[0].wr_id = last_told = last_sent;
    out[0].status = IBV_WC_SUCCESS;
    return 1;
  }
  int count = 0;
  for (; count < room && filled_count < posted_count; ++count, ++filled_count) {
    out[count].wr_id = posted[filled_count % kRing];
    out[count].status = IBV_WC_SUCCESS;
    out[count].byte_len = 940;
    out[count].src_qp = 43;
    out[count].wc_flags = IBV_WC_GRH;
  }
  return count;
}

}  // namespace phalanx::transport::verbs::calls
