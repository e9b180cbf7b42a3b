#include "controlplane/cli/demo/client.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "controlplane/cli/attachment.h"
#include "controlplane/cli/demo/board.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {
namespace {

constexpr std::string_view kGroup = "demo";

/// What a message of at least so many bytes begins with.
struct Stamp {
  std::uint64_t number = 0;  ///< Of the sender's messages, from 0, over all its attachments.
  std::uint64_t sender = 0;  ///< Index of its slot.
};

class DemoClient {
 public:
  DemoClient(Board& board, std::uint32_t index)
      : board_(board), slot_(board.slots[index]), index_(index), payload_(board.size_bytes, 0x5a) {}

  ExitCode run(const Instance& instance) {
    const auto attachment = attach(instance, callbacks(), this);
    if (!attachment) return fail_with(attachment.error().text());
    handle_ = attachment->get();
    learn_own_id();
    const phx_status joined = phx_join(handle_, kGroup.data(), kGroup.size(), &group_);
    if (joined != PHX_OK) return fail_with(phx_strerror(joined));
    for (;;) {
      const Phase phase = board_.phase.load(std::memory_order_acquire);
      if (phase == Phase::Quit) return ExitCode::Fine;
      phx_status status = PHX_OK;
      if (phase == Phase::Latency && index_ == 0)
        status = ping();
      else if (phase == Phase::Flood && index_ < board_.senders)
        status = flood(kBurst);
      else if (phase == Phase::Steady && index_ < board_.senders)
        status = flood(allowance(monotonic_now()));
      else
        status = dispatch(kIdleWaitMs);
      if (status != PHX_OK && status != PHX_TRY_AGAIN) return fail_with(phx_strerror(status));
      if (refused_) return fail_with("the join was refused");
      if (evicted_) return fail_with("evicted: it read too slowly");
    }
  }

 private:
  static constexpr int kIdleWaitMs = 20;  // How late a change of phase may be noticed.

  phx_callbacks callbacks() {
    phx_callbacks out{};
    out.message = [](void* self, phx_handle, const phx_message* m) {
      static_cast<DemoClient*>(self)->on_message(*m);
    };
    out.group_view = [](void* self, phx_handle, const phx_group_view* v) {
      static_cast<DemoClient*>(self)->on_group_view(*v);
    };
    out.node_view = [](void* self, phx_handle, const phx_node_view* v) {
      static_cast<DemoClient*>(self)->on_node_view(*v);
    };
    out.connection = [](void* self, phx_handle, const phx_connection* c) {
      static_cast<DemoClient*>(self)->on_connection(*c);
    };
    return out;
  }

  ExitCode fail_with(const std::string& why) {
    std::snprintf(slot_.error.data(), slot_.error.size(), "%s", why.c_str());
    slot_.failed.store(1, std::memory_order_release);
    return ExitCode::Failed;
  }

  // One message outstanding: from the call until it came back.
  phx_status ping() {
    const std::uint64_t wanted = own_ + 1;
    const TimeNs start = monotonic_now();
    if (const phx_status status = send_one(); status != PHX_OK) {
      return status == PHX_TRY_AGAIN ? dispatch(1) : status;
    }
    while (own_ < wanted) {
      const phx_status status = dispatch(kIdleWaitMs);
      if (status != PHX_OK && status != PHX_TRY_AGAIN) return status;
      if (board_.phase.load(std::memory_order_relaxed) == Phase::Quit) return PHX_OK;
      if (disconnected_) return PHX_OK;
    }
    slot_.latency_ns.add(monotonic_now() - start);
    return PHX_OK;
  }

  static constexpr std::uint64_t kBurst = 256;

  /// What the steady rate lets it send now. What was held up longer than a few milliseconds is
  /// forgiven: a gap is not followed by a flood.
  std::uint64_t allowance(TimeNs now) {
    constexpr TimeNs kForgiven = 5 * kMillisecond;
    const double rate = static_cast<double>(board_.rate_per_s.load(std::memory_order_relaxed));
    const TimeNs elapsed = std::min(now - paced_at_, kForgiven);
    paced_at_ = now;
    credit_ = std::min(credit_ + static_cast<double>(elapsed) / 1e9 * rate, rate / 100 + 1);
    const auto whole = std::min(static_cast<std::uint64_t>(credit_), kBurst);
    credit_ -= static_cast<double>(whole);
    return whole;
  }

  phx_status flood(std::uint64_t count) {
    std::uint64_t sent = 0;
    phx_status status = PHX_OK;
    while (sent < count && (status = send_one()) == PHX_OK) ++sent;
    if (status != PHX_OK && status != PHX_TRY_AGAIN) return status;
    return dispatch(sent == 0 ? 1 : 0);
  }

  phx_status send_one() {
    const Stamp stamp{.number = sent_, .sender = index_};
    std::memcpy(payload_.data(), &stamp, std::min(sizeof stamp, payload_.size()));
    const iovec part{.iov_base = payload_.data(), .iov_len = payload_.size()};
    const phx_status status = phx_multicast(handle_, group_, &part, 1, PHX_AGREED);
    if (status == PHX_OK) ++sent_;
    return status;
  }

  /// Delivers what is there, then shows what was found. The clock is read once a call.
  phx_status dispatch(int wait_ms) {
    const std::uint64_t before = delivered_;
    const phx_status status = phx_dispatch(handle_, PHX_DISPATCH_ALL, wait_ms);
    if (delivered_ != before) note_gap(monotonic_now());
    slot_.sent.store(sent_, std::memory_order_relaxed);
    slot_.own.store(own_, std::memory_order_relaxed);
    slot_.delivered.store(delivered_, std::memory_order_relaxed);
    slot_.items.store(order_.items, std::memory_order_relaxed);
    slot_.hash.store(order_.hash, std::memory_order_release);
    return status;
  }

  void note_gap(TimeNs now) {
    const std::uint32_t round = board_.gap_round.load(std::memory_order_relaxed);
    if (round != gap_round_) {
      gap_round_ = round;
      slot_.gap_ns.store(0, std::memory_order_relaxed);
    } else if (now - last_delivery_ > slot_.gap_ns.load(std::memory_order_relaxed)) {
      slot_.gap_ns.store(now - last_delivery_, std::memory_order_relaxed);
    }
    last_delivery_ = now;
  }

  void on_message(const phx_message& m) {
    ItemHash item(1);
    item.add(std::uint64_t{m.node} << 32 | m.client);
    item.add(m.flags);
    item.add(m.data, m.bytes);
    order_.add(item.value());
    ++delivered_;
    if (m.node == node_ && m.client == client_) ++own_;
    check_stamp(m);
    if (await_first_) {
      await_first_ = false;
      slot_.first_after_attach_ns.store(monotonic_now(), std::memory_order_release);
    }
  }

  // Numbers of one sender follow one another; where this client or the sender attached anew, they
  // may skip what was lost with a data plane, never go back.
  void check_stamp(const phx_message& m) {
    Stamp stamp;
    if (m.bytes < sizeof stamp) return;
    std::memcpy(&stamp, m.data, sizeof stamp);
    if (stamp.sender >= kBoardClientsMax) {
      slot_.disorders.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    LastOf& last = last_of_[stamp.sender];
    const bool same = last.node == m.node && last.client == m.client;
    if (same ? stamp.number != last.next : stamp.number < last.next) {
      slot_.disorders.fetch_add(1, std::memory_order_relaxed);
    }
    last = {.next = stamp.number + 1, .node = m.node, .client = m.client};
  }

  /// Whoever comes under this name next is another attachment.
  void forget_sender(const phx_member& member) {
    for (LastOf& last : last_of_) {
      if (last.node == member.node && last.client == member.client) last.node = 0;
    }
  }

  void on_group_view(const phx_group_view& v) {
    ItemHash item(3);
    item.add(v.flags);
    for (std::size_t i = 0; i < v.member_count; ++i) {
      item.add(std::uint64_t{v.members[i].node} << 32 | v.members[i].client);
    }
    order_.add(item.value());
    for (std::size_t i = 0; i < v.left_count; ++i) forget_sender(v.left[i]);
    for (std::size_t i = 0; i < v.joined_count; ++i) {
      forget_sender(v.joined[i]);
      joined_ = joined_ || (v.joined[i].node == node_ && v.joined[i].client == client_);
      add_checkpoint({.kind = Checkpoint::Kind::Join,
                      .first = v.joined[i].node,
                      .second = v.joined[i].client});
    }
    slot_.group_members.store(static_cast<std::uint32_t>(v.member_count),
                              std::memory_order_release);
  }

  void on_node_view(const phx_node_view& v) {
    ItemHash item(2);
    item.add(v.flags);
    std::uint64_t members = 0;
    if ((v.flags & PHX_FLAG_TRANSITIONAL) == 0) {
      item.add(v.sequence);
      item.add(v.representative);
      for (std::size_t i = 0; i < v.member_count; ++i) {
        item.add(v.members[i]);
        if (v.members[i] < 64) members |= std::uint64_t{1} << v.members[i];
      }
    }
    order_.add(item.value());
    // The view told at attaching has no place in the group's order: no point to compare from.
    if (!joined_ || (v.flags & PHX_FLAG_TRANSITIONAL) != 0) return;
    add_checkpoint({.kind = Checkpoint::Kind::View,
                    .first = v.sequence,
                    .second = v.representative,
                    .members = members});
  }

  void add_checkpoint(Checkpoint checkpoint) {
    const std::uint32_t count = slot_.checkpoint_count.load(std::memory_order_relaxed);
    if (count == kCheckpointsMax) return;  // The comparison then says that a point is missing.
    checkpoint.order = order_;
    checkpoint.time_ns = monotonic_now();
    slot_.checkpoints[count] = checkpoint;
    slot_.checkpoint_count.store(count + 1, std::memory_order_release);
  }

  void on_connection(const phx_connection& c) {
    switch (static_cast<unsigned>(c.event)) {
      case PHX_EVENT_DISCONNECTED:
        disconnected_ = true;
        slot_.lost.store(sent_ - own_, std::memory_order_relaxed);
        joined_ = false;
        slot_.group_members.store(0, std::memory_order_release);
        break;
      case PHX_EVENT_ATTACHED:
        disconnected_ = false;
        await_first_ = true;
        for (LastOf& last : last_of_) last.node = 0;  // The first number of each sender is new.
        learn_own_id();
        slot_.attaches.fetch_add(1, std::memory_order_release);
        break;
      case PHX_EVENT_EVICTED:
        evicted_ = true;
        break;
      case PHX_EVENT_REFUSED:
        refused_ = true;
        break;
      default:
        break;
    }
  }

  void learn_own_id() {
    phx_member self{};
    if (phx_local_id(handle_, &self) != PHX_OK) return;
    node_ = self.node;
    client_ = self.client;
    slot_.node.store(node_, std::memory_order_relaxed);
    slot_.client.store(client_, std::memory_order_relaxed);
  }

  struct LastOf {
    std::uint64_t next = 0;
    std::uint32_t node = 0;
    std::uint32_t client = 0;
  };

  Board& board_;
  ClientSlot& slot_;
  const std::uint32_t index_;
  std::vector<unsigned char> payload_;
  phx_handle handle_ = 0;
  phx_group group_ = 0;
  std::uint32_t node_ = 0;
  std::uint32_t client_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t own_ = 0;
  std::uint64_t delivered_ = 0;
  OrderHash order_;
  TimeNs paced_at_ = 0;
  double credit_ = 0;
  TimeNs last_delivery_ = 0;
  std::uint32_t gap_round_ = 0;
  std::array<LastOf, kBoardClientsMax> last_of_{};
  bool disconnected_ = false;
  bool joined_ = false;
  bool await_first_ = false;
  bool refused_ = false;
  bool evicted_ = false;
};

}  // namespace

ExitCode run_demo_client(Board& board, std::uint32_t index, const Instance& instance) {
  return DemoClient(board, index).run(instance);
}

}  // namespace phalanx::cli
