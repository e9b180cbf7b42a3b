#pragma once

#include <cstdint>
#include <span>

#include "ipc/base/time_ns.h"
#include "ipc/replica/array.h"
#include "ipc/replica/buffer.h"
#include "ipc/replica/history.h"
#include "ipc/replica/origins.h"
#include "ipc/replica/pending.h"
#include "ipc/replica/types.h"
#include "ipc/replica/wire.h"

namespace phalanx::replica {

/// One copy of a replicated state: events of its group in, in the agreed order, and the time;
/// messages and callbacks out, through Host. Sans-I/O and deterministic; replica.md has the rules.
/// One thread. Host's functions must not call back into it, but for submit() in answer().
class Replica {
 public:
  Replica(const Options& options, const Host& host) noexcept;

  // What happens to the group, as phx_dispatch() tells it.
  void on_node_view(std::uint64_t sequence, bool quorate, TimeNs now) noexcept;
  void on_transitional(TimeNs now) noexcept;
  /// `self` is who this replica is in the group as long as it stays attached.
  void on_group_view(MemberId self, std::span<const MemberId> members,
                     std::span<const MemberId> left, std::span<const Joined> joined,
                     TimeNs now) noexcept;
  void on_message(MemberId from, std::span<const std::byte> message, TimeNs now) noexcept;
  /// No member any more, without a view: disconnected, or evicted.
  void on_disconnected(TimeNs now) noexcept;

  void on_time(TimeNs now) noexcept;
  [[nodiscard]] TimeNs wake_at() const noexcept;
  /// Sends what waits and Host takes.
  void pump() noexcept;

  /// Queues an operation; its answer comes through Host, in the order of submissions. False: no
  /// room for it until others are answered.
  [[nodiscard]] bool submit(std::span<const std::byte> operation, std::uint64_t ticket) noexcept;
  [[nodiscard]] std::size_t operation_bytes_max() const noexcept;

  /// The state is the agreed one at this place of the order.
  [[nodiscard]] bool live() const noexcept { return live_ && !meeting_; }
  [[nodiscard]] bool quorate() const noexcept { return quorate_; }
  /// Equal at equal places of the order on all live replicas; differs when states may.
  [[nodiscard]] std::uint64_t digest() const noexcept { return key_.digest; }
  [[nodiscard]] std::uint64_t operations() const noexcept { return key_.operations; }
  [[nodiscard]] std::size_t pending() const noexcept { return pending_.count(); }
  [[nodiscard]] bool sends() const noexcept { return !outbox_.empty() || giving_ || sharing_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }

 private:
  /// What tells one state from another. Equal keys: equal operations in equal order and with equal
  /// results, from an equal beginning.
  struct Key {
    std::uint64_t quorum = 0;      ///< Sequence of the last quorate view it was live in.
    std::uint64_t operations = 0;  ///< How many it took.
    std::uint64_t digest = 0;      ///< Over all of them and their results, in order.
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Row {
    MemberId id;
    std::uint64_t origin = 0;
    Key key;  ///< Of its state, when has_state; as of its hello.
    bool live = false;
    bool hello = false;
    bool here = false;  ///< Takes part in the meeting that runs: here from its start.
    bool late = false;  ///< Joined since that began.
    bool has_state = false;
    bool shared = false;  ///< What its state has is taken in, or never will be.
    bool failed = false;  ///< As a giver, lately.
    bool taking = false;
    bool pristine = false;
    std::size_t hello_at = 0;  ///< In hellos_, while a meeting runs.
    std::size_t hello_bytes = 0;
  };
  enum class Activity : std::uint8_t { None, Sharing, Giving };

  // replica.cc: the order.
  void handle(MemberId from, std::span<const std::byte> message, TimeNs now) noexcept;
  void dispatch(MemberId from, const Header& header, std::span<const std::byte> body,
                std::span<const std::byte> message, TimeNs now) noexcept;
  void apply_node_view(std::uint64_t sequence, bool quorate) noexcept;
  void settle() noexcept;
  void become_outsider(TimeNs now) noexcept;
  void notice(Event event, Fault fault = Fault::None, MemberId who = {},
              std::uint64_t count = 0) noexcept;
  /// A message of the replica itself; it waits in the outbox. Memory for it is a must.
  void say(Kind kind, std::uint64_t number, std::span<const std::byte> body = {}) noexcept;
  void say_fault(Kind kind, std::uint64_t number, Fault fault) noexcept;
  [[nodiscard]] Row* row_of(MemberId id) noexcept;
  [[nodiscard]] bool is_member(MemberId id) const noexcept;

  // operations.cc
  struct Place {
    bool quorate = false;
    bool transitional = false;
  };
  void on_operations(MemberId from, const Header& header, std::span<const std::byte> body,
                     Place place) noexcept;
  void take_operation(const Operation& operation, Origins::Entry& origin, Place place) noexcept;
  void answer_own(std::uint64_t number, Outcome outcome, std::int64_t result,
                  bool transitional) noexcept;
  void pass_held_answers(Outcome outcome) noexcept;
  /// Answers what the state has although it was not applied here.
  void answer_overtaken() noexcept;
  void hold(MemberId from, std::span<const std::byte> message) noexcept;
  void apply_held() noexcept;
  void note(std::uint64_t origin, std::uint64_t number, std::uint64_t result) noexcept;
  void send_operations_again() noexcept;
  void prune_origins() noexcept;

  // meeting.cc: who has which state, and who goes on.
  void start_meeting(std::uint64_t nonce, TimeNs now) noexcept;
  void end_meeting() noexcept;
  void say_hello(std::uint64_t nonce) noexcept;
  void on_hello(MemberId from, const Header& header, std::span<const std::byte> body,
                TimeNs now) noexcept;
  void decide_if_complete(bool close, TimeNs now) noexcept;
  void decide(TimeNs now) noexcept;
  [[nodiscard]] const Row* winner() noexcept;
  [[nodiscard]] std::size_t not_covered_by(const Row& side) noexcept;
  [[nodiscard]] bool found() noexcept;
  void go_live(TimeNs now) noexcept;

  // direct.cc: what the live ones do for the others, one thing at a time.
  void direct(TimeNs now) noexcept;
  [[nodiscard]] const Row* director() const noexcept;
  [[nodiscard]] const Row* giver() const noexcept;
  void on_ask(const Header& header, std::span<const std::byte> body, TimeNs now) noexcept;
  void on_share(MemberId from, std::span<const std::byte> body, TimeNs now) noexcept;
  void on_shared(MemberId from, const Header& header, std::span<const std::byte> body,
                 TimeNs now) noexcept;
  void say_origins(std::uint64_t number) noexcept;
  void on_drop(MemberId who, TimeNs now) noexcept;
  void end_activity() noexcept;
  void forget_member(MemberId id) noexcept;
  void pump_share() noexcept;

  // transfer.cc
  void on_give(const Header& header, std::span<const std::byte> body, TimeNs now) noexcept;
  void cut(TimeNs now) noexcept;
  [[nodiscard]] std::span<const std::byte> recent_history(Origins& origins) const noexcept;
  [[nodiscard]] Fault write_snapshot(Buffer& out) noexcept;
  void pump_chunks() noexcept;
  void on_chunk(MemberId from, const Header& header, std::span<const std::byte> body,
                TimeNs now) noexcept;
  void on_end(MemberId from, const Header& header, std::span<const std::byte> body,
              TimeNs now) noexcept;
  void on_abort(MemberId from, const Header& header, std::span<const std::byte> body,
                TimeNs now) noexcept;
  void on_ready(MemberId from, const Header& header, std::span<const std::byte> body,
                TimeNs now) noexcept;
  void on_nack(MemberId from, const Header& header, std::span<const std::byte> body,
               TimeNs now) noexcept;
  void end_taking(MemberId id) noexcept;

  // take.cc: the taker's side.
  enum class Logged : std::uint8_t { Message, NodeView, Transitional, Left, Joined };
  void start_taking(std::uint64_t transfer, MemberId from, TimeNs now) noexcept;
  void stop_taking(TimeNs now) noexcept;
  void fail_taking(Fault fault, TimeNs now) noexcept;
  [[nodiscard]] Fault load(TimeNs now) noexcept;
  [[nodiscard]] Fault read_snapshot() noexcept;
  void log(Logged what, MemberId who, std::span<const std::byte> bytes) noexcept;
  void log_view(Logged what, std::uint64_t sequence, bool quorate) noexcept;
  void replay(bool views_only, TimeNs now) noexcept;

  const Options options_;
  const Host host_;
  Counters counters_;

  // The group, and where in the order we are.
  MemberId self_;
  bool member_ = false;
  Array<MemberId> members_;
  std::uint64_t view_ = 0;
  bool quorate_ = false;
  bool transitional_ = false;
  bool unsettled_ = false;  ///< The view began and nothing was delivered in it.

  // The state, as far as it is not the application's.
  bool has_state_ = false;
  bool pristine_ = true;  ///< The application's state is the one that it was made with.
  bool current_ = false;  ///< The state and the rows are those of this place of the order.
  bool live_ = false;     ///< And all know it.
  Key key_;
  Origins origins_;
  History history_;

  // What live replicas know alike.
  Array<Row> rows_;
  Activity activity_ = Activity::None;
  MemberId partner_;             ///< Who shares or gives.
  std::uint64_t transfer_ = 0;   ///< That is given, or was last.
  std::uint64_t transfers_ = 0;  ///< That we ordered.
  std::uint64_t merged_ = 0;     ///< Of the side that shares.
  TimeNs active_at_ = 0;         ///< Something was heard of the activity.
  TimeNs retry_at_ = kNever;
  bool directed_ = false;  ///< Our own word is on its way.

  // Meeting.
  bool meeting_ = false;
  bool close_said_ = false;
  bool no_quorum_ = false;  ///< The last meeting founded nothing.
  std::uint64_t nonce_ = 0;
  TimeNs met_at_ = 0;
  Buffer hellos_;
  Buffer held_;

  // Outsider.
  TimeNs outside_since_ = 0;
  bool taking_ = false;
  bool replaying_ = false;
  TimeNs heard_at_ = 0;
  Buffer incoming_;
  Buffer log_;

  // Giver, sharer.
  bool giving_ = false;
  std::uint64_t given_to_ = 0;  ///< Bytes sent of outgoing_.
  std::uint64_t in_flight_ = 0;
  Buffer outgoing_;
  bool sharing_ = false;
  std::size_t shared_to_ = 0;
  Origins asked_for_;

  // Own operations.
  Pending pending_;
  std::uint64_t doubtful_below_ = 0;  ///< Sent in an earlier attachment: maybe taken elsewhere.
  Buffer held_answers_;
  Buffer outbox_;  ///< Each: u32 bytes, u32 0, message, zeros to 8.
};

}  // namespace phalanx::replica
