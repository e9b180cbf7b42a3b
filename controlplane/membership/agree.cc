#include <algorithm>

#include "controlplane/membership/machine.h"
#include "controlplane/membership/plan.h"
#include "ipc/base/assert.h"

namespace phalanx::membership {
namespace {

constexpr TimeNs kResendFirst = 2 * kMillisecond;
constexpr TimeNs kResendMost = 20 * kMillisecond;
/// A member may miss an answer once: its deadline can end just before it.
constexpr std::uint32_t kUnansweredMax = 2;

}  // namespace

// --- Prepare ---------------------------------------------------------------------------------

void Machine::start_attempt(NodeSet target, TimeNs now) {
  wire::Prepare prepare;
  prepare.attempt = {durable_.sequence_seen + 1, config_.self.node, config_.self.boot};
  prepare.members = members_of(target);
  prepare.key_id = config_.key_id_highest;  // Rule: the highest that all hold.
  for (NodeSet rest = target & ~only(self_); rest != 0; rest &= rest - 1) {
    const auto& hello = peers_[lowest(rest)].hello;
    if (hello) prepare.key_id = std::min(prepare.key_id, hello->key_id_highest);
  }
  promise(prepare, now);
  reports_.assign(prepare.members.size(), std::nullopt);
  send_to(others(0), wire::MessageKind::Prepare, prepare);
}

void Machine::promise(const wire::Prepare& prepare, TimeNs now) {
  durable_.attempt = Attempt{};
  durable_.attempt.prepare = prepare;
  durable_.attempt.running = true;
  reports_.clear();
  attempt_set_ = 0;
  for (const Member& member : prepare.members) attempt_set_ |= only(*index_of(member.node));
  raise_sequence(prepare.attempt.sequence);
  // Rule: freeze before answering. Frozen is final: only an install ends it.
  durable_.frozen = true;
  actions_.freeze = true;
  deadline_ = now + (leads() ? 1 : 2) * config_.attempt_deadline;
  restart_resend(now);
  wake(resend_at_);
}

void Machine::on_prepare(std::size_t from, const wire::Prepare& prepare, TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  const Member sender{config_.nodes[from], peers_[from].boot};
  const auto has = [&](const Member& member) {
    return std::binary_search(prepare.members.begin(), prepare.members.end(), member);
  };
  // Rule: boot ids everywhere. An attempt without me, for another incarnation of me, or in
  // another's name is not mine to answer.
  if (!has(config_.self) || !has(sender)) return;
  if (prepare.attempt.representative != sender.node || prepare.attempt.boot != sender.boot) return;
  if (prepare.attempt.sequence > kSequenceMax) return;
  for (const Member& member : prepare.members) {
    if (!index_of(member.node)) return;
  }
  const std::uint32_t most = std::max(config_.key_id_highest, config_.key_id_next);
  if (prepare.key_id > most || prepare.key_id < key_id_least()) {
    reject(sender.node, Rejection::Reason::KeyId, most, prepare.key_id);
    return;
  }
  offer_key(prepare.key_id);

  if (prepare.attempt == durable_.view) return answer(from);  // Rule: who installed says so.
  if (prepare.attempt == attempt.id()) return repeat_answer(from);
  // Rule: an install that was asked for is done before another attempt is answered.
  if (attempt.installing || durable_.leaving) return;
  // Rule: answer only what is higher than all answered before: with two answers out, two
  // representatives could install different views from one state. Sequences heard of in hellos do
  // not count here, or an attempt's own number would overtake it; they count when one is chosen.
  if (prepare.attempt.sequence <= std::max(attempt.id().sequence, durable_.view.sequence)) {
    return refuse(from, prepare.attempt);
  }
  // Rule: a view is left without a convicted member, which its members decide, or for a superset of
  // its living members. Who comes back from a cut may have heard only some of them.
  NodeSet asked = 0;
  for (const Member& member : prepare.members) asked |= only(*index_of(member.node));
  if (!follows(from) && (core_of(matrix()) & ~asked) != 0) {
    return refuse(from, prepare.attempt);
  }
  // Rule: of two representatives that know of each other the lower id wins. step() starts anew,
  // above this one.
  if (attempt.running && leads() && self_ < from && contains(attempt_set_, from)) {
    raise_sequence(prepare.attempt.sequence);
    return fail_attempt(now);
  }
  promise(prepare, now);
}

void Machine::repeat_answer(std::size_t representative) {
  const Attempt& attempt = durable_.attempt;
  if (!attempt.running) return;
  if (attempt.recovered) {
    send_to(representative, wire::MessageKind::Done, wire::Done{attempt.id()});
  } else if (attempt.report && !attempt.plan) {
    send_to(representative, wire::MessageKind::Report, *attempt.report);
  }
}

void Machine::refuse(std::size_t representative, const ViewId& attempt) {
  send_to(representative, wire::MessageKind::Refusal,
          wire::Refusal{attempt, durable_.sequence_seen});
}

void Machine::on_refusal(std::size_t from, const wire::Refusal& refusal, TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  if (!attempt.running || !leads() || refusal.attempt != attempt.id()) return;
  if (attempt.installing || !rank_of(from) || refusal.sequence_seen > kSequenceMax) return;
  raise_sequence(refusal.sequence_seen);
  // The first refusal only means that we had not heard of a sequence. More of them mean another
  // representative: make room for it.
  fail_attempt(failures_ == 0 ? now : now + back_off());
}

Actions Machine::on_frozen(const wire::Report& report, TimeNs now) {
  begin(now);
  Attempt& attempt = durable_.attempt;
  const bool mine = (report.attempt.is_none() || report.attempt == attempt.id()) &&
                    report.old_view == durable_.view && report.lanes.size() == config_.lanes;
  if (attempt.running && !attempt.plan && !attempt.report && mine) {
    attempt.report = report;
    attempt.report->attempt = attempt.id();
    if (leads()) {
      take_report(*rank_of(self_), *attempt.report, now);
    } else {
      send_to(*index_of(attempt.id().representative), wire::MessageKind::Report, *attempt.report);
      restart_resend(now);
    }
  }
  return step(now);
}

// --- Plan ------------------------------------------------------------------------------------

void Machine::on_report(std::size_t from, const wire::Report& report, TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  if (report.attempt == durable_.view) return answer(from);
  if (!attempt.running || !leads() || report.attempt != attempt.id()) return;
  const auto rank = rank_of(from);
  if (!rank) return;
  if (attempt.plan) return send_to(from, wire::MessageKind::Plan, *attempt.plan);
  if (report.lanes.size() != config_.lanes) return;
  if (report.old_view.sequence >= report.attempt.sequence) return;
  take_report(*rank, report, now);
}

void Machine::take_report(std::size_t rank, const wire::Report& report, TimeNs now) {
  reports_[rank] = report;
  std::vector<wire::Report> all;
  for (const auto& one : reports_) {
    if (!one) return;  // Rule: no plan before every member has frozen and said what it holds.
    all.push_back(*one);
  }
  const wire::Plan plan = make_plan(durable_.attempt.prepare, config_.lanes, all);
  send_to(others(0), wire::MessageKind::Plan, plan);
  take_plan(plan, now);
}

bool Machine::suits(const wire::Plan& plan) const {
  if (plan.members != durable_.attempt.prepare.members) return false;
  if (plan.stream_bases.size() != plan.members.size() * config_.lanes) return false;
  const auto has_self = [&](const wire::TransitionalSet& set) {
    return std::binary_search(set.members.begin(), set.members.end(), config_.self);
  };
  const wire::TransitionalSet* mine = set_of(plan, durable_.view);
  if (mine != nullptr) return has_self(*mine);
  return durable_.view.is_none() && std::none_of(plan.sets.begin(), plan.sets.end(), has_self);
}

void Machine::on_plan(std::size_t from, const wire::Plan& plan, TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  if (plan.attempt == durable_.view) return answer(from);
  if (plan.attempt != attempt.id()) return;
  if (config_.nodes[from] != attempt.id().representative || leads()) return;
  if (!attempt.running) {  // Rule: who gave up says so, until it is heard.
    if (!attempt.recovered) refuse(from, plan.attempt);
    return;
  }
  if (attempt.plan) return repeat_answer(from);
  if (attempt.report && suits(plan)) take_plan(plan, now);
}

void Machine::take_plan(const wire::Plan& plan, TimeNs now) {
  durable_.attempt.plan = plan;
  actions_.recover = plan;
  // Recovery moves bytes: it may take longer than an answer. Who dies meanwhile is detected.
  deadline_ = now + std::max(5 * config_.attempt_deadline, config_.stall_after) +
              (leads() ? 0 : config_.attempt_deadline);
  restart_resend(now);
}

// --- Recover and install ---------------------------------------------------------------------

Actions Machine::on_recovered(const ViewId& id, TimeNs now) {
  begin(now);
  Attempt& attempt = durable_.attempt;
  if (attempt.plan && !attempt.recovered && id == attempt.id() && id != durable_.view) {
    attempt.recovered = true;
    attempt.done |= only(*rank_of(self_));
    if (attempt.running) {
      send_to(others(0), wire::MessageKind::Done, wire::Done{id});
      restart_resend(now);
    }
    install_when_all_are_done();
  }
  return step(now);
}

// Rule: any failure returns to Gather with a higher attempt. Waiting for the deadline would keep
// all members frozen for what is known already.
Actions Machine::on_refused(const ViewId& id, TimeNs now) {
  begin(now);
  const Attempt& attempt = durable_.attempt;
  if (attempt.running && attempt.plan && !attempt.recovered && id == attempt.id()) {
    miss_answer(peers_[self_]);
    if (!leads()) refuse(*index_of(id.representative), id);
    fail_attempt(now + back_off());
  }
  return step(now);
}

void Machine::on_done(std::size_t from, const wire::Done& done) {
  if (done.attempt == durable_.view) return answer(from);  // Rule: who installed says so.
  const auto rank = rank_of(from);
  if (!rank || done.attempt != durable_.attempt.id()) return;
  durable_.attempt.done |= only(*rank);
  install_when_all_are_done();
}

void Machine::install_when_all_are_done() {
  Attempt& attempt = durable_.attempt;
  const std::size_t members = attempt.prepare.members.size();
  // Rule: install at DONE of all. Somebody's install proves it, even to a node that gave up on the
  // attempt, as long as it promised no higher one.
  const bool all = attempt.all_done || attempt.done == ~NodeSet{0} >> (kNodesMax - members);
  if (!attempt.plan || !attempt.recovered || attempt.installing || !durable_.frozen || !all) return;
  attempt.running = true;
  attempt.installing = true;
  actions_.install = attempt.plan;
}

Actions Machine::on_installed(const ViewId& view, TimeNs now) {
  begin(now);
  Attempt& attempt = durable_.attempt;
  if (!attempt.installing || view != attempt.id()) return step(now);

  const NodeSet before = view_set_;
  view_set_ = attempt_set_;
  durable_.view = view;
  durable_.view_key_id = attempt.prepare.key_id;
  durable_.members = attempt.prepare.members;
  durable_.frozen = false;
  attempt.running = attempt.installing = false;
  attempt.plan.reset();
  attempt.report.reset();
  failures_ = 0;
  renewal_wanted_ = false;
  retry_at_ = accused_since_ = 0;
  reports_.clear();
  settle_losses(before, now);
  for (const Member& member : durable_.members) {
    const std::size_t index = *index_of(member.node);
    Peer& peer = peers_[index];
    if (peer.boot.is_none()) peer.boot = member.boot;
    view_boots_[index] = member.boot;
    peer.astray_since = 0;
    if (!contains(before, index)) peer.joined_at = now;
    detector_.watch(index, now, /*new_incarnation=*/false);
  }
  for (Peer& peer : peers_) {
    peer.unanswered = 0;
    peer.mute = false;
  }
  greet_now_ = true;  // It proves to the others that all were done.
  return step(now);
}

// --- Deadlines, failure, repetition ----------------------------------------------------------

void Machine::check_attempt(TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  if (!attempt.running || attempt.installing) return;
  for (const Member& member : attempt.prepare.members) {
    const std::size_t index = *index_of(member.node);
    const bool needed = leads() || member.node == attempt.id().representative;
    if (index == self_ || !needed || peers_[index].boot.is_none()) continue;
    // Rule: any failure returns to Gather with a higher attempt. The representative watches all
    // members; a member only the representative.
    if (peers_[index].boot != member.boot || !contains(heard_, index)) return fail_attempt(now);
  }
  if (now >= deadline_) {
    judge_the_silent(now);
    return fail_attempt(now + back_off());
  }
  wake(deadline_);
}

void Machine::miss_answer(Peer& peer) noexcept { peer.mute = ++peer.unanswered >= kUnansweredMax; }

void Machine::judge_the_silent(TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  // Rule: who did not do its own part accuses nobody else; it goes on alone until it can.
  if (attempt.plan ? !attempt.recovered : !attempt.report) return miss_answer(peers_[self_]);
  peers_[self_].unanswered = 0;
  if (!leads()) return;
  for (NodeSet rest = attempt_set_ & ~only(self_); rest != 0; rest &= rest - 1) {
    Peer& peer = peers_[lowest(rest)];
    const std::size_t rank = *rank_of(lowest(rest));
    if (attempt.plan ? contains(attempt.done, rank) : reports_[rank].has_value()) {
      peer.unanswered = 0;
    } else if (!contains(view_set_, lowest(rest))) {
      peer.hold = std::min(2 * peer.hold, config_.hold_max);
      peer.linked_since = std::max<TimeNs>(now, 1);
    } else if (now < peer.control_at + config_.attempt_deadline / 2 &&
               !detector_.distrusts_self(now)) {
      // Rule: a member that speaks but does not answer is left out. One that says nothing is for
      // the failure detector, or for the rule of the missing control plane.
      miss_answer(peer);
    }
  }
}

void Machine::fail_attempt(TimeNs retry_at) {
  PHX_CHECK(!durable_.attempt.installing);
  durable_.attempt.running = false;
  retry_at_ = retry_at;
  ++failures_;
  greet_now_ = true;
}

TimeNs Machine::back_off() const noexcept {
  // Grows with failures and with the own rank, so that two representatives that cannot hear each
  // other drift apart without dice.
  const TimeNs base = (5 * kMillisecond) << std::min<std::uint32_t>(failures_, 5);
  return base + base * self_ / 4;
}

void Machine::restart_resend(TimeNs now) noexcept {
  resend_after_ = kResendFirst;
  resend_at_ = now + resend_after_;
}

void Machine::resend(TimeNs now) {
  const Attempt& attempt = durable_.attempt;
  if (!attempt.running || attempt.installing) return;
  if (now < resend_at_) return wake(resend_at_);
  resend_after_ = std::min(2 * resend_after_, kResendMost);
  resend_at_ = now + resend_after_;
  wake(resend_at_);
  if (leads() && attempt.plan) {
    send_to(others(attempt.done), wire::MessageKind::Plan, *attempt.plan);
  } else if (leads()) {
    std::uint64_t reported = 0;
    for (std::size_t rank = 0; rank < reports_.size(); ++rank) {
      if (reports_[rank]) reported |= only(rank);
    }
    send_to(others(reported), wire::MessageKind::Prepare, attempt.prepare);
  } else if (attempt.report && !attempt.plan) {
    repeat_answer(*index_of(attempt.id().representative));
  }
  if (attempt.recovered) {
    send_to(others(attempt.done), wire::MessageKind::Done, wire::Done{attempt.id()});
  }
}

bool Machine::leads() const noexcept {
  const ViewId& id = durable_.attempt.id();
  return id.representative == config_.self.node && id.boot == config_.self.boot;
}

std::optional<std::size_t> Machine::rank_of(std::size_t index) const noexcept {
  const std::vector<Member>& members = durable_.attempt.prepare.members;
  const Member member{config_.nodes[index], peers_[index].boot};
  const auto at = std::find(members.begin(), members.end(), member);
  if (at == members.end()) return std::nullopt;
  return static_cast<std::size_t>(at - members.begin());
}

std::vector<Member> Machine::others(std::uint64_t ranks_left_out) const {
  std::vector<Member> members;
  for (std::size_t rank = 0; rank < durable_.attempt.prepare.members.size(); ++rank) {
    const Member& member = durable_.attempt.prepare.members[rank];
    if (member.node != config_.self.node && !contains(ranks_left_out, rank)) {
      members.push_back(member);
    }
  }
  return members;
}

}  // namespace phalanx::membership
