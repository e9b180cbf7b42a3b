#pragma once

#include <cerrno>
#include <deque>
#include <string>
#include <vector>

#include "transport/verbs/announcement.h"
#include "transport/verbs/calls.h"

/// An adapter without hardware: what it has, what it shall refuse, and what was asked of it.
namespace phalanx::transport::verbs::fake {

struct Sent {
  std::string payload;
  std::uint32_t queue_pair = 0;
  unsigned flags = 0;
  std::vector<ibv_sge> pieces = {};  ///< Of memory that it was read from.
};

struct Region {
  std::uintptr_t at = 0;
  std::size_t bytes = 0;
  std::uint32_t key = 0;
  int access = 0;
};

struct Told {
  ibv_gid to{};
  std::uint16_t port = 0;
  std::vector<std::byte> bytes;
};

struct State {
  // What there is.
  int devices = 1;
  ibv_gid_entry gid{};
  ibv_port_attr port{};
  ibv_device_attr limits{};
  std::uint16_t pkey = 0xffff;
  std::uint32_t inline_most = 128;
  std::uint64_t lockable = calls::kUnlimited;
  // What fails: an errno, or 0.
  int open_error = 0;
  int register_error = 0;
  std::size_t registers_fine = 0;  ///< Before the one that fails.
  int create_error = 0;
  int modify_error = 0;
  int join_error = 0;
  int attach_error = 0;
  int handle_error = 0;
  int bind_error = 0;
  int cm_error = ENODEV;  ///< The address is of no InfiniBand port.
  int cm_join_error = 0;  ///< At once, not the subnet manager's.
  int post_send_error = 0;
  int post_recv_error = 0;
  int reset_error = 0;              ///< Of the change to RESET only.
  std::size_t post_send_taken = 0;  ///< Before the one that fails.
  bool holds_sends = false;         ///< Completions stay away.
  bool reads_late = false;          ///< What is posted is read by read_posted(), and not before.
  bool removed = false;
  std::size_t own_copies = 0;  ///< That still come, each as soon as there is a buffer.
  // What happened.
  std::deque<ibv_recv_wr> receives;
  std::deque<ibv_sge> buffers;
  std::deque<ibv_wc> receive_done;
  std::deque<ibv_wc> send_done;
  std::vector<Sent> sent;
  std::deque<Sent> posted;  ///< Not read yet.
  std::vector<Region> regions;
  std::uint32_t next_key = 0x100;
  std::uint32_t pieces_most = 0;  ///< What the queue pair was asked to gather a send from.
  std::vector<ibv_qp_state> states;
  std::deque<calls::AsyncEvent> events;
  int channel_fd = -1;     ///< The completion channel's, an eventfd.
  int channel_events = 0;  ///< That the completion channel has to tell.
  bool armed = false;
  int arms = 0;
  std::deque<Told> datagrams;  ///< That wait, each from there.
  std::vector<Told> told;      ///< Datagrams sent.
  int handles = 0;             ///< Address handles ever made.
  calls::CmPlace cm_place;
  std::deque<calls::CmEvent> cm_answers;  ///< The subnet manager's, one for each that is asked for.
  int cm_joins = 0;
  int cm_leaves = 0;
  std::vector<ibv_ah_attr> ways;  ///< Of the address handles made.
  struct Group {
    ibv_gid gid{};
    std::uint16_t mlid = 0;
  };
  std::vector<Group> attached;   ///< Ever.
  std::uint32_t sends_most = 0;  ///< What the queue pair was asked to hold.
  int joins = 0;                 ///< At IP level.
  ibv_gid joined{};              ///< The last of these.
  int attaches = 0;              ///< At the adapter.
  TimeNs now = kSecond;
  int alive = 0;  ///< Everything created and not destroyed.
};

State& state();
/// A port that is up, with GID ::ffff:10.0.0.1.
void reset();
/// After reset(): an InfiniBand port, GID fe80::1, LID 9, with 10.0.0.1 on its IPoIB interface and
/// a subnet manager that puts the group at ff12::77 and MLID 0xc003.
void be_infiniband();
/// What the subnet manager says to a join that it grants.
calls::CmEvent granted(std::uint16_t mlid);
/// The adapter comes to what was posted, as the memory is now.
void read_posted();
/// A datagram of the kernel's that says where a node's queue pair is.
void announce(const std::string& from, std::uint16_t port, const Announcement& what);
/// Puts a packet from an IPv4 address into the next receive buffer. False: none is posted.
bool deliver(const std::string& from, std::uint32_t queue_pair, const std::string& payload,
             std::uint16_t lid = 0);

}  // namespace phalanx::transport::verbs::fake
