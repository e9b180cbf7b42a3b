#include "controlplane/membership/failure_detector.h"

#include <algorithm>

namespace phalanx::membership {

void FailureDetector::watch(std::size_t peer, TimeNs now, bool new_incarnation) {
  Peer& p = peers_[peer];
  if (new_incarnation) p = Peer{};
  p.since = now;
}

void FailureDetector::on_rows(std::size_t peer, TimeNs heard, TimeNs progressed, TimeNs now) {
  Peer& p = peers_[peer];
  p.has_rows = true;
  p.progressed_at = std::max(p.progressed_at, progressed);
  if (heard > p.rows_at) {
    if (p.age > 0) {
      // Mean and mean deviation as TCP smooths its round trips. How old the last row is at a
      // reading says how far apart rows are, however often one reads; it counts once the next row
      // is there, so that a peer does not earn patience by dying.
      const TimeNs age = std::min(p.age, config_.stall_after);
      const TimeNs off = age > p.age_mean ? age - p.age_mean : p.age_mean - age;
      p.age_mean = (7 * p.age_mean + age) / 8;
      p.age_deviation = (3 * p.age_deviation + off) / 4;
    }
    p.rows_at = heard;
  }
  p.age = p.rows_at > p.since && now > p.rows_at ? now - p.rows_at : 0;
}

void FailureDetector::on_control(std::size_t peer, TimeNs now) { peers_[peer].control_at = now; }

void FailureDetector::on_vouch(std::size_t peer, TimeNs now) { peers_[peer].vouched_at = now; }

TimeNs FailureDetector::limit(std::size_t peer) const {
  const Peer& p = peers_[peer];
  return std::clamp(2 * p.age_mean + 4 * p.age_deviation, config_.dead_after,
                    std::max(config_.dead_after, config_.stall_after));
}

FailureDetector::Deadlines FailureDetector::deadlines(std::size_t peer, bool lanes_running) const {
  const Peer& p = peers_[peer];
  const bool rows_due = lanes_running && p.has_rows;
  const TimeNs data_at = std::max({p.since, p.rows_at, rows_due ? 0 : p.control_at});
  const TimeNs any_at = std::max({data_at, p.control_at, p.vouched_at});
  const TimeNs dead_limit = limit(peer);
  Deadlines due{data_at + config_.stall_after / 2, data_at + config_.stall_after,
                LossRule::StallAfter};
  const auto convict = [&due](TimeNs at, LossRule rule) {
    if (at >= due.convicted) return;
    due.convicted = at;
    due.rule = rule;
  };
  if (p.vouched_at != 0) {
    // Rule: who was vouched for and is silent in both planes is dead; without vouching nobody can
    // tell a dead node from a stalled one, and stall_after holds for both.
    due.suspected = std::min(due.suspected, any_at + dead_limit / 2);
    convict(any_at + dead_limit, LossRule::DeadAfter);
  }
  if (rows_due) {
    // Rule: a member that hears and answers but does not get on is left out too.
    const TimeNs progress_at = std::max(p.since, p.progressed_at);
    due.suspected = std::min(due.suspected, progress_at + config_.stall_after / 2);
    convict(progress_at + config_.stall_after, LossRule::NoProgress);
  }
  due.convicted = std::max(due.convicted, grace_until_);
  return due;
}

Verdict FailureDetector::verdict(std::size_t peer, TimeNs now, bool lanes_running) const {
  const Deadlines due = deadlines(peer, lanes_running);
  if (now >= due.convicted) return Verdict::Convicted;
  return now >= due.suspected ? Verdict::Suspected : Verdict::Fine;
}

LossRule FailureDetector::convicted_by(std::size_t peer, TimeNs now, bool lanes_running) const {
  const Deadlines due = deadlines(peer, lanes_running);
  return now >= due.convicted ? due.rule : LossRule::None;
}

TimeNs FailureDetector::next_verdict_at(std::size_t peer, TimeNs now, bool lanes_running) const {
  const Deadlines due = deadlines(peer, lanes_running);
  if (now < due.suspected) return due.suspected;
  return now < due.convicted ? due.convicted : kNever;
}

}  // namespace phalanx::membership
