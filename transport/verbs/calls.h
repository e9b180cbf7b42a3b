#pragma once

#include <infiniband/verbs.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "ipc/base/time_ns.h"

/// Every call of this folder to libibverbs and to the kernel's group membership, one to one. Linked
/// from calls.cc, or from a fake in tests. Return values and errno are libibverbs's.
namespace phalanx::transport::verbs::calls {

ibv_device** get_device_list(int* count);
void free_device_list(ibv_device** list);
const char* get_device_name(ibv_device* device);
ibv_context* open_device(ibv_device* device);
int close_device(ibv_context* context);
int query_device(ibv_context* context, ibv_device_attr* out);
int query_port(ibv_context* context, std::uint8_t port, ibv_port_attr* out);
int query_pkey(ibv_context* context, std::uint8_t port, int index, std::uint16_t* out);
ssize_t query_gid_table(ibv_context* context, ibv_gid_entry* out, std::size_t room);
int query_gid(ibv_context* context, std::uint32_t port, std::uint32_t index, ibv_gid_entry* out);

/// Of a port, after which groups that were joined may be forgotten.
inline bool is_of_port(ibv_event_type type) {
  return type == IBV_EVENT_PORT_ACTIVE || type == IBV_EVENT_PORT_ERR ||
         type == IBV_EVENT_LID_CHANGE || type == IBV_EVENT_PKEY_CHANGE ||
         type == IBV_EVENT_GID_CHANGE || type == IBV_EVENT_SM_CHANGE ||
         type == IBV_EVENT_CLIENT_REREGISTER;
}

struct AsyncEvent {
  ibv_event_type type{};
  std::uint8_t port = 0;  ///< 0: it is not of a port.
};
/// Takes one asynchronous event without waiting and acknowledges it. False: none.
bool take_async_event(ibv_context* context, AsyncEvent* out);
/// Where asynchronous events can be waited for.
int async_fd(const ibv_context* context);
TimeNs now();

ibv_pd* alloc_pd(ibv_context* context);
int dealloc_pd(ibv_pd* pd);
inline constexpr int kReadOnly = 0;  ///< For the adapter.
inline constexpr int kWritable = IBV_ACCESS_LOCAL_WRITE;
ibv_mr* reg_mr(ibv_pd* pd, void* at, std::size_t bytes, int access);
int dereg_mr(ibv_mr* mr);
inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
/// What this process may lock in all: RLIMIT_MEMLOCK, or kUnlimited to whom it does not apply.
std::uint64_t lockable_bytes();
/// Readable once a completion came after req_notify_cq(); does not block.
ibv_comp_channel* create_comp_channel(ibv_context* context);
int destroy_comp_channel(ibv_comp_channel* channel);
/// Takes and acknowledges one event of the channel without waiting. False: none.
bool take_cq_event(ibv_comp_channel* channel);
int req_notify_cq(ibv_cq* cq);
ibv_cq* create_cq(ibv_context* context, int entries, ibv_comp_channel* channel);
int destroy_cq(ibv_cq* cq);
ibv_qp* create_qp(ibv_pd* pd, ibv_qp_init_attr* attributes);
int modify_qp(ibv_qp* qp, ibv_qp_attr* attributes, int mask);
int destroy_qp(ibv_qp* qp);
/// `mlid`: the group's LID on InfiniBand, else 0.
int attach_mcast(ibv_qp* qp, const ibv_gid* group, std::uint16_t mlid);
int detach_mcast(ibv_qp* qp, const ibv_gid* group, std::uint16_t mlid);
ibv_ah* create_ah(ibv_pd* pd, ibv_ah_attr* attributes);
int destroy_ah(ibv_ah* handle);

int post_send(ibv_qp* qp, ibv_send_wr* first, ibv_send_wr** bad);
int post_recv(ibv_qp* qp, ibv_recv_wr* first, ibv_recv_wr** bad);
int poll_cq(ibv_cq* cq, int room, ibv_wc* out);

/// Joins the group at IP level on one interface: Soft-RoCE, and switches that snoop, pass its
/// packets only then. Returns a socket that holds the membership, or -1.
int join_group(std::uint32_t interface_index, const ibv_gid& group);
void leave_group(int membership);

struct Datagram {
  ibv_gid from{};  ///< An IPv4 address mapped.
  std::uint16_t port = 0;
  std::size_t bytes = 0;  ///< Cut to the room there was.
};
/// A socket of the kernel's UDP at this address, which must not wait. -1 with errno.
int open_datagrams(const ibv_gid& address, std::uint16_t port);
void close_datagrams(int fd);
/// False: the kernel did not take it.
bool send_datagram(int fd, const ibv_gid& to, std::uint16_t port, std::span<const std::byte> bytes);
/// False: none waits.
bool take_datagram(int fd, std::span<std::byte> room, Datagram* out);

/// The kernel's connection manager bound to an address: it knows which port carries an IPoIB
/// interface, and joins groups with the subnet manager. calls_cm.cc, or calls_no_cm.cc where the
/// build has no librdmacm: then open_cm() fails with ENOSYS.
struct Cm;
struct CmPlace {
  std::string device;
  std::uint8_t port = 0;
  ibv_gid gid{};
  std::uint16_t pkey = 0;  ///< Of the interface.
};
/// Null with errno: ENODEV when no RDMA port carries the address.
Cm* open_cm(const ibv_gid& address, CmPlace* out);
void close_cm(Cm* cm);
/// Asks; the answer is an event. 0 or an errno.
int join_cm(Cm* cm, const ibv_gid& group);
/// Before the answer: it is called off.
void leave_cm(Cm* cm, const ibv_gid& group);
struct CmEvent {
  int error = 0;        ///< 0: joined. Else an errno, or what the subnet manager said, negative.
  ibv_ah_attr group{};  ///< Where the group is: MGID, MLID, service level.
};
/// The next answer to join_cm(), waiting for it so long at most. False: none yet.
bool take_cm_event(Cm* cm, int wait_ms, CmEvent* out);

}  // namespace phalanx::transport::verbs::calls
