#include "perf/group/client.h"

#include <phalanx/phalanx.h>
#include <sched.h>
#include <sys/uio.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "controlplane/cli/attachment.h"

namespace phalanx::perf {
namespace {

constexpr int kWaitMs = 10;  // How late a change of phase may be noticed.
constexpr std::uint64_t kBurst = 64;

class Client {
 public:
  Client(GroupBoard& board, std::uint32_t index)
      : board_(board), slot_(board.slots[index]), index_(index) {}

  void run(const cli::Instance& instance) {
    phx_callbacks callbacks{};
    callbacks.message = [](void* self, phx_handle, const phx_message* m) {
      static_cast<Client*>(self)->on_message(*m);
    };
    callbacks.group_view = [](void* self, phx_handle, const phx_group_view* v) {
      static_cast<Client*>(self)->on_group_view(*v);
    };
    callbacks.connection = [](void* self, phx_handle, const phx_connection* c) {
      if (c->event == PHX_EVENT_EVICTED || c->event == PHX_EVENT_DISCONNECTED)
        static_cast<Client*>(self)->fail_with("its data plane gave it up");
    };
    const auto attachment = cli::attach(instance, callbacks, this);
    if (!attachment) return fail_with(attachment.error().text());
    handle_ = attachment->get();
    (void)phx_local_id(handle_, &self_);
    const phx_status joined = phx_join(handle_, "perf", 4, &group_);
    if (joined != PHX_OK) return fail_with(phx_strerror(joined));
    while (slot_.failed.load(std::memory_order_relaxed) == 0) {
      const GroupPhase phase = board_.phase.load(std::memory_order_acquire);
      if (phase == GroupPhase::Quit) return;
      if (board_.round.load(std::memory_order_acquire) != round_) take_work();
      const phx_status status = phase == GroupPhase::Run ? turn() : rest();
      if (status != PHX_OK && status != PHX_TRY_AGAIN) fail_with(phx_strerror(status));
    }
  }

 private:
  void fail_with(const std::string& why) {
    std::snprintf(slot_.error.data(), slot_.error.size(), "%s", why.c_str());
    slot_.failed.store(1, std::memory_order_release);
  }

  void take_work() {
    round_ = board_.round.load(std::memory_order_acquire);
    work_ = board_.work;
    sends_ = (work_.senders >> index_ & 1) != 0;
    const auto senders = static_cast<std::uint64_t>(std::popcount(work_.senders));
    const auto before =
        static_cast<std::uint64_t>(std::popcount(work_.senders & ((1ULL << index_) - 1)));
    // Each sender's part of the timetable lies between the others'.
    interval_ =
        work_.rate == 0 ? 0 : 1e9 * static_cast<double>(senders) / static_cast<double>(work_.rate);
    first_ = interval_ * static_cast<double>(before) / static_cast<double>(senders);
    number_ = under_way_ = 0;
    answer_due_ = false;
    ended_ = false;
    payload_.assign(work_.size, 0x5a);
    sent_ = delivered_ = own_ = hash_ = 0;
    slot_.own_delivery = {};
    slot_.other_delivery = {};
    slot_.round_trip = {};
    slot_.unsent.store(0);
    show();
    slot_.round.store(round_, std::memory_order_release);
  }

  [[nodiscard]] TimeNs due(std::uint64_t number) const {
    return work_.start + static_cast<TimeNs>(first_ + interval_ * static_cast<double>(number));
  }

  phx_status turn() {
    if (!sends_) return dispatch(work_.load == Load::RoundTrip ? 1 : kWaitMs);
    const TimeNs now = monotonic_now();
    if (now < work_.start) return dispatch(0);
    switch (work_.load) {
      case Load::Flood:
        return send_some(kBurst, [now](std::uint64_t) { return now; });
      case Load::Closed:
        return send_some(work_.outstanding - std::min(under_way_, work_.outstanding),
                         [now](std::uint64_t) { return now; });
      case Load::RoundTrip:
        return send_some(under_way_ == 0 ? 1 : 0, [now](std::uint64_t) { return now; });
      case Load::Open:
        return keep_to_timetable(now);
    }
    return PHX_OK;
  }

  template <class Began>
  phx_status send_some(std::uint64_t most, const Began& began) {
    std::uint64_t count = 0;
    phx_status status = PHX_OK;
    while (count < most && (status = send({began(number_), round_, 0})) == PHX_OK) ++count;
    if (status != PHX_OK && status != PHX_TRY_AGAIN) return status;
    return dispatch(count > 0 ? 0 : kWaitMs);
  }

  phx_status keep_to_timetable(TimeNs now) {
    std::uint64_t count = 0;
    phx_status status = PHX_OK;
    while (count < kBurst && due(number_) <= now && due(number_) < work_.measure_to &&
           (status = send({due(number_), round_, 0})) == PHX_OK) {
      ++count;
    }
    if (status != PHX_OK && status != PHX_TRY_AGAIN) return status;
    const TimeNs next = due(number_);
    const bool has_time = next > now && next - now > 2 * kMillisecond;
    if (count == 0 && !has_time) sched_yield();  // It polls, so as not to be late by a wake-up.
    return dispatch(has_time ? 1 : 0);
  }

  /// Between rounds. What was due and never sent has waited at least until now: it counts as that.
  phx_status rest() {
    if (sends_ && !ended_ && work_.load == Load::Open && round_ != 0) {
      const TimeNs now = monotonic_now();
      std::uint64_t unsent = 0;
      for (std::uint64_t n = number_; due(n) < std::min(now, work_.measure_to); ++n, ++unsent) {
        if (due(n) >= work_.measure_from) slot_.own_delivery.add(now - due(n));
      }
      slot_.unsent.store(unsent, std::memory_order_release);
    }
    ended_ = true;
    slot_.sent.store(sent_, std::memory_order_relaxed);
    slot_.rested.store(answer_due_ ? 0 : round_, std::memory_order_release);
    return dispatch(kWaitMs);
  }

  phx_status send(const Stamp& stamp) {
    std::memcpy(payload_.data(), &stamp, sizeof stamp);
    const iovec part{.iov_base = payload_.data(), .iov_len = payload_.size()};
    const phx_status status =
        phx_multicast(handle_, group_, &part, 1, work_.safe != 0 ? PHX_SAFE : PHX_AGREED);
    if (status != PHX_OK) return status;
    ++sent_;
    if (stamp.answer == 0) {
      ++number_;
      ++under_way_;
    }
    return status;
  }

  phx_status dispatch(int wait_ms) {
    phx_status status = phx_dispatch(handle_, PHX_DISPATCH_ALL, wait_ms);
    if (answer_due_) {
      const phx_status sent = send({answer_to_, round_, 1});
      if (sent == PHX_OK) answer_due_ = false;
      if (sent != PHX_OK && sent != PHX_TRY_AGAIN) status = sent;
    }
    show();
    return status;
  }

  void show() {
    slot_.sent.store(sent_, std::memory_order_relaxed);
    slot_.own.store(own_, std::memory_order_relaxed);
    slot_.hash.store(hash_, std::memory_order_relaxed);
    slot_.delivered.store(delivered_, std::memory_order_release);
  }

  /// Whoever leaves spoils the round: what it sent or was sent may be lost.
  void on_group_view(const phx_group_view& v) {
    const auto members = static_cast<std::uint32_t>(v.member_count);
    const bool fewer = members < slot_.members.exchange(members);
    if (fewer && board_.phase.load() != GroupPhase::Quit)
      fail_with("somebody left the group; for a busy host: --dead-after, --stall-after");
  }

  void on_message(const phx_message& m) {
    Stamp stamp;
    if (m.bytes < sizeof stamp) return;
    std::memcpy(&stamp, m.data, sizeof stamp);
    if (stamp.round != round_) return;
    ++delivered_;
    const std::uint64_t who = std::uint64_t{m.node} << 32 | m.client;
    hash_ = (hash_ ^ who ^ stamp.began) * 0x9E3779B97F4A7C15ULL;
    const bool mine = m.node == self_.node && m.client == self_.client;
    own_ += mine ? 1 : 0;
    if (work_.load == Load::RoundTrip) return on_trip(stamp, mine);
    if (mine && under_way_ > 0) --under_way_;
    if (work_.load == Load::Flood || !counts(stamp)) return;
    (mine ? slot_.own_delivery : slot_.other_delivery).add(monotonic_now() - stamp.began);
  }

  /// The client after the one sender answers what is no answer; the sender waits for that.
  void on_trip(const Stamp& stamp, bool mine) {
    if (mine) return;
    if (sends_ && stamp.answer != 0) {
      under_way_ = 0;
      if (counts(stamp)) slot_.round_trip.add(monotonic_now() - stamp.began);
    } else if (stamp.answer == 0 && work_.senders == 1ULL << answered_by()) {
      answer_due_ = true;
      answer_to_ = stamp.began;
    }
  }
  /// The client whose messages this one answers.
  [[nodiscard]] std::uint32_t answered_by() const {
    const std::uint32_t members = slot_.members.load(std::memory_order_relaxed);
    return members == 0 ? index_ : (index_ + members - 1) % members;
  }
  [[nodiscard]] bool counts(const Stamp& stamp) const {
    return stamp.began >= work_.measure_from && stamp.began < work_.measure_to;
  }

  GroupBoard& board_;
  GroupSlot& slot_;
  const std::uint32_t index_;
  phx_handle handle_ = 0;
  phx_group group_ = 0;
  phx_member self_{};
  GroupWork work_;
  std::uint32_t round_ = 0;
  bool sends_ = false;
  bool ended_ = true;
  bool answer_due_ = false;
  TimeNs answer_to_ = 0;
  double interval_ = 0;          ///< Nanoseconds between two messages of this sender's timetable.
  double first_ = 0;             ///< Its first one after the start.
  std::uint64_t number_ = 0;     ///< Messages of this round so far, answers left out.
  std::uint64_t under_way_ = 0;  ///< Of these, not yet delivered here; RoundTrip: not answered.
  std::vector<unsigned char> payload_;
  std::uint64_t sent_ = 0, delivered_ = 0, own_ = 0, hash_ = 0;
};

}  // namespace

void run_group_client(GroupBoard& board, std::uint32_t index, const cli::Instance& instance) {
  Client(board, index).run(instance);
}

}  // namespace phalanx::perf
