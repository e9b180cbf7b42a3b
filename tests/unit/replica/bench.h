#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "ipc/replica/replica.h"

namespace phalanx::replica {

/// A replica over text: an operation appends a word, "refuse" is refused.
struct Process {
  explicit Process(Options options) : replica(options, host()) {}

  Host host() {
    return {.context = this,
            .send =
                [](void* self, const iovec* parts, std::size_t count) {
                  std::string message;
                  for (std::size_t i = 0; i < count; ++i)
                    message.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
                  static_cast<Process*>(self)->sent.push_back(message);
                  return true;
                },
            .snapshot =
                [](void* self, Buffer& out) {
                  auto* me = static_cast<Process*>(self);
                  ++me->snapshots;
                  return !me->snapshot_fails && out.append(me->state.data(), me->state.size());
                },
            .restore =
                [](void* self, std::span<const std::byte> in, std::uint32_t, bool) {
                  auto* me = static_cast<Process*>(self);
                  if (me->restores_fail > 0 && me->restores_fail-- > 0) return false;
                  me->state.assign(reinterpret_cast<const char*>(in.data()), in.size());
                  return true;
                },
            .apply = [](void* self,
                        const Operation& o) { return static_cast<Process*>(self)->take(o); },
            .merge = [](void* self,
                        const Operation& o) { return static_cast<Process*>(self)->take(o) == 0; },
            .answer =
                [](void* self, std::uint64_t, Outcome outcome, std::int64_t result) {
                  static_cast<Process*>(self)->answers.emplace_back(outcome, result);
                },
            .notice = [](void* self,
                         const Notice& n) { static_cast<Process*>(self)->notices.push_back(n); }};
  }
  std::int64_t take(const Operation& operation) {
    const std::string word(reinterpret_cast<const char*>(operation.bytes.data()),
                           operation.bytes.size());
    if (word == "refuse") return 7;
    state += word;
    return 0;
  }
  bool submit(const std::string& word) {
    return replica.submit(std::as_bytes(std::span(word.data(), word.size())), 0);
  }
  [[nodiscard]] bool was_told(Event event, Fault fault = Fault::None) const {
    for (const Notice& n : notices) {
      if (n.event == event && n.fault == fault) return true;
    }
    return false;
  }

  std::string state;
  std::deque<std::string> sent;
  std::vector<std::pair<Outcome, std::int64_t>> answers;
  std::vector<Notice> notices;
  int snapshots = 0;
  bool snapshot_fails = false;
  int restores_fail = 0;
  MemberId id;
  bool dispatches = false;
  Replica replica;
};

/// One side of a cluster: processes that get the same events in the same order.
class Side {
 public:
  explicit Side(bool quorate = true) : quorate_(quorate) {}

  void join(Process& process, MemberId id) {
    process.id = id;
    process.replica.on_node_view(view_, quorate_, now);
    members_.push_back(&process);
    const Joined joined{.id = id};
    tell({}, {&joined, 1});
    run();
  }
  /// A member dies; the others are told.
  void lose(Process& process) {
    std::erase(members_, &process);
    process.replica.on_disconnected(now);
    const MemberId left[1] = {process.id};
    tell(left, {});
    run();
  }
  /// The members split off into a side of their own; both sides get a view.
  Side split(const std::vector<Process*>& leaving, bool quorate_here, bool quorate_there) {
    Side other(quorate_there);
    other.view_ = view_;
    other.members_ = leaving;
    for (Process* process : leaving) std::erase(members_, process);
    const std::vector<MemberId> theirs = other.ids();
    const std::vector<MemberId> ours = ids();
    new_view(quorate_here);
    tell(theirs, {});
    other.new_view(quorate_there);
    other.tell(ours, {});
    run();
    other.run();
    return other;
  }
  void meet(Side& other, bool quorate) {
    std::vector<Joined> ours;
    std::vector<Joined> theirs;
    ours.reserve(members_.size());
    theirs.reserve(other.members_.size());
    for (Process* process : members_) ours.push_back({process->id, true});
    for (Process* process : other.members_) theirs.push_back({process->id, true});
    const std::vector<Process*> here = members_;
    const std::vector<Process*> there = other.members_;
    members_.insert(members_.end(), there.begin(), there.end());
    view_ = std::max(view_, other.view_);
    new_view(quorate);
    const std::vector<MemberId> all = ids();
    for (Process* p : here) p->replica.on_group_view(p->id, all, {}, theirs, now);
    for (Process* p : there) p->replica.on_group_view(p->id, all, {}, ours, now);
    other.members_.clear();
    run();
  }
  /// Until nobody has anything to say.
  void run() {
    for (bool more = true; more;) {
      more = false;
      for (std::size_t i = 0; i < members_.size(); ++i) more = step(*members_[i]) || more;
    }
  }
  /// Sends what one member has, one message of it. False: nothing.
  bool step(Process& process) {
    if (!process.dispatches) return false;
    process.replica.pump();
    if (process.sent.empty()) return false;
    const std::string message = process.sent.front();
    process.sent.pop_front();
    const auto bytes = std::as_bytes(std::span(message.data(), message.size()));
    const std::vector<Process*> members = members_;
    for (Process* p : members) {
      if (p->dispatches) p->replica.on_message(process.id, bytes, now);
    }
    return true;
  }
  void pass(TimeNs time) {
    now += time;
    const std::vector<Process*> members = members_;
    for (Process* p : members) {
      if (p->dispatches) p->replica.on_time(now);
    }
    run();
  }

  TimeNs now = 1'000'000;

 private:
  void new_view(bool quorate) {
    quorate_ = quorate;
    ++view_;
    for (Process* p : members_) p->replica.on_transitional(now);
    for (Process* p : members_) p->replica.on_node_view(view_, quorate, now);
  }
  void tell(std::span<const MemberId> left, std::span<const Joined> joined) {
    const std::vector<MemberId> all = ids();
    for (Process* p : members_) {
      p->dispatches = true;
      p->replica.on_group_view(p->id, all, left, joined, now);
    }
  }
  [[nodiscard]] std::vector<MemberId> ids() const {
    std::vector<MemberId> out;
    out.reserve(members_.size());
    for (const Process* p : members_) out.push_back(p->id);
    return out;
  }

  std::vector<Process*> members_;
  std::uint64_t view_ = 1;
  bool quorate_;
};

}  // namespace phalanx::replica
