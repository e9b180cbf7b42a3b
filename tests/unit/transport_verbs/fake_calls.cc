#include "tests/unit/transport_verbs/fake_calls.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace fake {

State& state() {
  static State one;
  return one;
}

void reset() {
  state() = {};
  State& s = state();
  s.gid = {.gid = *gid_of("10.0.0.1"),
           .gid_index = 3,
           .port_num = 1,
           .gid_type = IBV_GID_TYPE_ROCE_V2,
           .ndev_ifindex = 7};
  s.port.state = IBV_PORT_ACTIVE;
  s.port.link_layer = IBV_LINK_LAYER_ETHERNET;
  s.port.active_mtu = IBV_MTU_1024;
  s.port.pkey_tbl_len = 1;
  s.limits.max_qp_wr = 256;
  s.limits.max_cqe = 256;
  s.limits.max_mcast_grp = 8;
  s.limits.max_sge = 4;
}

namespace {

/// As an adapter: what lies in no region of this key is nobody's to send.
void append(std::string& payload, const ibv_sge& piece) {
  const bool registered = std::ranges::any_of(state().regions, [&](const Region& region) {
    return region.key == piece.lkey && piece.addr >= region.at &&
           piece.addr + piece.length <= region.at + region.bytes;
  });
  ASSERT_TRUE(registered) << "no region has these bytes under this key";
  payload.append(reinterpret_cast<const char*>(piece.addr), piece.length);
}

}  // namespace

void read_posted() {
  State& s = state();
  for (Sent& one : s.posted) {
    for (const ibv_sge& piece : one.pieces) append(one.payload, piece);
    s.sent.push_back(std::move(one));
  }
  s.posted.clear();
}

void announce(const std::string& from, std::uint16_t port, const Announcement& what) {
  const auto bytes = encode(what);
  state().datagrams.push_back(
      {.to = *gid_of(from), .port = port, .bytes = {bytes.begin(), bytes.end()}});
}

calls::CmEvent granted(std::uint16_t mlid) {
  calls::CmEvent out;
  out.group.dlid = mlid;
  out.group.sl = 3;
  out.group.grh.dgid = *gid_of("ff12::77");
  return out;
}

void be_infiniband() {
  State& s = state();
  s.gid.gid = *gid_of("fe80::1");
  s.gid.gid_type = IBV_GID_TYPE_IB;
  s.gid.gid_index = 0;
  s.gid.ndev_ifindex = 0;
  s.port.link_layer = IBV_LINK_LAYER_INFINIBAND;
  s.port.lid = 9;
  s.cm_error = 0;
  s.cm_place = {.device = "fake0", .port = 1, .gid = s.gid.gid, .pkey = 0xffff};
  s.cm_answers.push_back(granted(0xc003));
}

bool deliver(const std::string& from, std::uint32_t queue_pair, const std::string& payload,
             std::uint16_t lid) {
  State& s = state();
  if (s.receives.empty()) return false;
  auto* at = reinterpret_cast<std::byte*>(s.buffers.front().addr);
  const ibv_gid source = *gid_of(from);
  std::memset(at, 0xee, kGrhBytes);
  if (is_ipv4(source)) {
    std::memcpy(at + 32, source.raw + 12, 4);
  } else {
    std::memcpy(at + 8, source.raw, 16);
  }
  const std::size_t fits = std::min<std::size_t>(payload.size(), s.buffers.front().length - 40);
  std::memcpy(at + kGrhBytes, payload.data(), fits);
  ibv_wc done{};
  done.wr_id = s.receives.front().wr_id;
  done.status = fits == payload.size() ? IBV_WC_SUCCESS : IBV_WC_LOC_LEN_ERR;
  done.byte_len = static_cast<std::uint32_t>(kGrhBytes + fits);
  done.src_qp = queue_pair;
  done.wc_flags = IBV_WC_GRH;
  done.slid = lid;
  s.receives.pop_front();
  s.buffers.pop_front();
  s.receive_done.push_back(done);
  if (std::exchange(s.armed, false)) ++s.channel_events;
  return true;
}

}  // namespace fake

namespace calls {
namespace {

ibv_device device_object;
ibv_device other_object;
ibv_device* device_list[3] = {&device_object, &other_object, nullptr};
ibv_context context_object;
ibv_pd pd_object;
ibv_cq send_queue;
ibv_cq receive_queue;
ibv_qp qp_object;

template <typename T>
T* made(T* object, int error) {
  errno = error;
  if (error != 0) return nullptr;
  ++fake::state().alive;
  return object;
}

int gone() {
  --fake::state().alive;
  return 0;
}

int take(std::deque<ibv_wc>& from, int room, ibv_wc* out) {
  int count = 0;
  for (; count < room && !from.empty(); ++count) {
    out[count] = from.front();
    from.pop_front();
  }
  return count;
}

}  // namespace

ibv_device** get_device_list(int* count) {
  *count = fake::state().devices;
  return device_list;
}
void free_device_list(ibv_device**) {}
const char* get_device_name(ibv_device* device) {
  return device == device_list[0] ? "fake0" : "fake1";
}
ibv_context* open_device(ibv_device*) { return made(&context_object, fake::state().open_error); }
int close_device(ibv_context*) { return gone(); }
int query_device(ibv_context*, ibv_device_attr* out) {
  *out = fake::state().limits;
  return 0;
}
int query_port(ibv_context*, std::uint8_t, ibv_port_attr* out) {
  *out = fake::state().port;
  return fake::state().removed ? EIO : 0;
}
int query_pkey(ibv_context*, std::uint8_t, int, std::uint16_t* out) {
  *out = fake::state().pkey;
  return 0;
}
ssize_t query_gid_table(ibv_context*, ibv_gid_entry* out, std::size_t) {
  *out = fake::state().gid;
  return 1;
}
int query_gid(ibv_context*, std::uint32_t, std::uint32_t index, ibv_gid_entry* out) {
  *out = fake::state().gid;
  return index == out->gid_index ? 0 : ENODATA;
}
bool take_async_event(ibv_context*, AsyncEvent* out) {
  auto& events = fake::state().events;
  if (events.empty()) return false;
  *out = events.front();
  events.pop_front();
  return true;
}
int async_fd(const ibv_context*) {
  static const int fd = eventfd(0, EFD_CLOEXEC);
  return fd;
}
TimeNs now() { return fake::state().now; }
ibv_comp_channel* create_comp_channel(ibv_context*) {
  static ibv_comp_channel channel;
  channel.fd = eventfd(0, EFD_CLOEXEC);
  fake::state().channel_fd = channel.fd;
  return made(&channel, 0);
}
int destroy_comp_channel(ibv_comp_channel* channel) {
  close(channel->fd);
  return gone();
}
bool take_cq_event(ibv_comp_channel*) {
  if (fake::state().channel_events == 0) return false;
  --fake::state().channel_events;
  return true;
}
int req_notify_cq(ibv_cq*) {
  if (fake::state().removed) return EIO;
  fake::state().armed = true;
  ++fake::state().arms;
  return 0;
}
ibv_pd* alloc_pd(ibv_context*) { return made(&pd_object, 0); }
int dealloc_pd(ibv_pd*) { return gone(); }
ibv_mr* reg_mr(ibv_pd*, void* at, std::size_t bytes, int access) {
  fake::State& s = fake::state();
  const bool fails = s.register_error != 0 && s.regions.size() >= s.registers_fine;
  errno = s.register_error;
  if (fails) return nullptr;
  s.regions.push_back({reinterpret_cast<std::uintptr_t>(at), bytes, s.next_key, access});
  auto* registration = new ibv_mr{};
  registration->lkey = s.next_key++;
  return made(registration, 0);
}
int dereg_mr(ibv_mr* mr) {
  std::erase_if(fake::state().regions,
                [mr](const fake::Region& region) { return region.key == mr->lkey; });
  delete mr;
  return gone();
}
std::uint64_t lockable_bytes() { return fake::state().lockable; }
ibv_cq* create_cq(ibv_context*, int, ibv_comp_channel*) {
  static bool odd = false;
  odd = !odd;
  return made(odd ? &send_queue : &receive_queue, 0);
}
int destroy_cq(ibv_cq*) { return gone(); }
ibv_qp* create_qp(ibv_pd*, ibv_qp_init_attr* attributes) {
  const fake::State& s = fake::state();
  qp_object.qp_num = 42;
  fake::state().sends_most = attributes->cap.max_send_wr;
  fake::state().pieces_most = attributes->cap.max_send_sge;
  const bool refused = attributes->cap.max_inline_data > s.inline_most;
  return made(&qp_object, refused ? EINVAL : s.create_error);
}
int modify_qp(ibv_qp*, ibv_qp_attr* attributes, int) {
  fake::State& s = fake::state();
  if (s.modify_error != 0) return s.modify_error;
  if (s.reset_error != 0 && attributes->qp_state == IBV_QPS_RESET) return s.reset_error;
  s.states.push_back(attributes->qp_state);
  if (attributes->qp_state == IBV_QPS_RESET) {
    s.receives.clear();
    s.buffers.clear();
    s.posted.clear();
  }
  return 0;
}
int destroy_qp(ibv_qp*) { return gone(); }
int attach_mcast(ibv_qp*, const ibv_gid* group, std::uint16_t mlid) {
  fake::state().attached.push_back({.gid = *group, .mlid = mlid});
  if (fake::state().attach_error == 0) ++fake::state().alive;
  ++fake::state().attaches;
  return fake::state().attach_error;
}
int detach_mcast(ibv_qp*, const ibv_gid*, std::uint16_t) { return gone(); }
ibv_ah* create_ah(ibv_pd*, ibv_ah_attr* attributes) {
  fake::state().ways.push_back(*attributes);
  static ibv_ah handle;
  ++fake::state().handles;
  return made(&handle, fake::state().handle_error);
}
int destroy_ah(ibv_ah*) { return gone(); }

int post_send(ibv_qp*, ibv_send_wr* first, ibv_send_wr** bad) {
  fake::State& s = fake::state();
  std::size_t taken = 0;
  for (ibv_send_wr* one = first; one != nullptr; one = one->next, ++taken) {
    if (s.post_send_error != 0 && taken == s.post_send_taken) {
      *bad = one;
      return s.post_send_error;
    }
    EXPECT_LE(one->num_sge, static_cast<int>(s.pieces_most));
    s.posted.push_back(
        {"", one->wr.ud.remote_qpn, one->send_flags, {one->sg_list, one->sg_list + one->num_sge}});
    if (!s.reads_late) fake::read_posted();
    if ((one->send_flags & IBV_SEND_SIGNALED) == 0 || s.holds_sends) continue;
    ibv_wc done{};
    done.wr_id = one->wr_id;
    s.send_done.push_back(done);
  }
  return 0;
}
int post_recv(ibv_qp*, ibv_recv_wr* first, ibv_recv_wr** bad) {
  if (fake::state().post_recv_error != 0) {
    *bad = first;
    return fake::state().post_recv_error;
  }
  for (ibv_recv_wr* one = first; one != nullptr; one = one->next) {
    fake::state().receives.push_back(*one);
    fake::state().buffers.push_back(*one->sg_list);
  }
  while (fake::state().own_copies > 0 && fake::deliver("10.0.0.1", 42, "own")) {
    --fake::state().own_copies;
  }
  return 0;
}
int poll_cq(ibv_cq* cq, int room, ibv_wc* out) {
  fake::State& s = fake::state();
  return take(cq == &send_queue ? s.send_done : s.receive_done, room, out);
}
int join_group(std::uint32_t, const ibv_gid& group) {
  fake::state().joined = group;
  errno = fake::state().join_error;
  if (errno != 0) return -1;
  ++fake::state().alive;
  ++fake::state().joins;
  return 9;
}
void leave_group(int) { gone(); }

Cm* open_cm(const ibv_gid&, CmPlace* out) {
  *out = fake::state().cm_place;
  static int object = 0;
  return made(reinterpret_cast<Cm*>(&object), fake::state().cm_error);
}
void close_cm(Cm*) { gone(); }
int join_cm(Cm*, const ibv_gid&) {
  if (fake::state().cm_join_error != 0) return fake::state().cm_join_error;
  ++fake::state().cm_joins;
  ++fake::state().alive;
  return 0;
}
void leave_cm(Cm*, const ibv_gid&) {
  ++fake::state().cm_leaves;
  gone();
}
bool take_cm_event(Cm*, int, CmEvent* out) {
  auto& answers = fake::state().cm_answers;
  if (answers.empty()) return false;
  *out = answers.front();
  answers.pop_front();
  return true;
}

int open_datagrams(const ibv_gid&, std::uint16_t) {
  errno = fake::state().bind_error;
  if (errno != 0) return -1;
  ++fake::state().alive;
  return 10;
}
void close_datagrams(int) { gone(); }
bool send_datagram(int, const ibv_gid& to, std::uint16_t port, std::span<const std::byte> bytes) {
  fake::state().told.push_back({.to = to, .port = port, .bytes = {bytes.begin(), bytes.end()}});
  return true;
}
bool take_datagram(int, std::span<std::byte> room, Datagram* out) {
  auto& waiting = fake::state().datagrams;
  if (waiting.empty()) return false;
  const fake::Told one = waiting.front();
  waiting.pop_front();
  const std::size_t bytes = std::min(room.size(), one.bytes.size());
  std::copy_n(one.bytes.begin(), bytes, room.begin());
  *out = {.from = one.to, .port = one.port, .bytes = bytes};
  return true;
}

}  // namespace calls
}  // namespace phalanx::transport::verbs
