#include "controlplane/daemon/cluster_orders.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "config/diff.h"
#include "transport/wire/management.h"

namespace phalanx::controlplane {
namespace {

using wire::OrderWord;

constexpr const char* kReloadFailed = "no node has reloaded its configuration";

std::string hex(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string list_of(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : " ") + key;
  return text;
}

/// "live: log.level; restart: lane.log".
std::string text_of(const config::Changes& changes) {
  std::string text;
  if (!changes.live.empty()) text = "live: " + list_of(changes.live);
  if (!changes.restart.empty()) {
    text += (text.empty() ? "" : "; ") + ("restart: " + list_of(changes.restart));
  }
  return text.empty() ? "nothing changes" : text;
}

}  // namespace

std::uint32_t ClusterOrders::number() {
  std::uint32_t drawn = 0;
  while (drawn == 0) drawn = hooks_.draw();
  return drawn;
}

std::string ClusterOrders::name_of(NodeId node) const {
  for (const config::ClusterNode& one : hooks_.running().cluster.nodes) {
    if (one.id == node) return one.name;
  }
  return "node " + std::to_string(node);
}

bool ClusterOrders::busy(const Done& done) {
  if (!round_) return false;
  done({.error = Error{.attempted = "cannot do this now",
                       .observed = "another order is under way at this node",
                       .remedy = "try again"},
        .answers = {}});
  return true;
}

/// An empty hash: this node is the one that was asked, and says what it is.
ClusterOrders::Answer ClusterOrders::judge(const std::string& hash,
                                           std::optional<config::Config>& wanted) const {
  auto read = hooks_.read();
  if (!read) return {.yes = false, .text = read.error()};
  const std::string own = hex(config::reload_hash(*read));
  if (!hash.empty() && hash != own) {
    return {.yes = false,
            .text = "what must be equal on all nodes has the hash " + own + ", not " + hash};
  }
  const std::string text = text_of(config::diff(hooks_.running(), *read));
  wanted = std::move(*read);
  return {.yes = true, .text = text};
}

void ClusterOrders::reload(bool dry, std::vector<NodeId> others, TimeNs now, Done done) {
  if (busy(done)) return;
  std::optional<config::Config> wanted;
  const Answer own = judge({}, wanted);
  if (!own.yes) {
    return done({.error = Error{.attempted = kReloadFailed,
                                .observed = name_of(self_) + ": " + own.text,
                                .remedy = "mend its file: phalanx config check"},
                 .answers = {}});
  }
  // Member by member: gcc 12 takes what a half-made aggregate would destroy for uninitialised.
  Round round;
  round.question.dry = dry;
  round.question.number = number();
  round.question.text = hex(config::reload_hash(*wanted));
  round.to = std::move(others);
  round.answers[self_] = own;
  round.wanted = std::move(*wanted);
  round.done = std::move(done);
  start(std::move(round), now);
}

void ClusterOrders::remove(NodeId node, const std::string& reason, TimeNs now, Done done) {
  if (busy(done)) return;
  Round round;
  round.step = Step::Removing;
  round.question.kind = OrderWord::Kind::Remove;
  round.question.number = number();
  round.question.text = reason;
  round.to.push_back(node);
  round.done = std::move(done);
  start(std::move(round), now);
}

void ClusterOrders::start(Round round, TimeNs now) {
  round.until = now + kPatience;
  round_ = std::move(round);
  ask_again(now);
  look(now);
}

void ClusterOrders::ask_again(TimeNs now) {
  for (const NodeId node : round_->to) {
    if (round_->answers.contains(node)) continue;
    round_->question.to = node;
    if (!hooks_.send(round_->question)) {
      round_->answers[node] = {.yes = false,
                               .text = "there is no management address to reach it by"};
    }
  }
  hooks_.wake(now + kRepeat);
}

/// Whether this step is over, and what comes next.
void ClusterOrders::look(TimeNs now) {
  Round& round = *round_;
  std::string refusals;
  bool complete = true;
  for (const NodeId node : round.to) {
    const auto found = round.answers.find(node);
    if (found == round.answers.end()) {
      complete = false;
      if (now >= round.until) refusals += name_of(node) + ": does not answer. ";
    } else if (!found->second.yes) {
      refusals += name_of(node) + ": " + found->second.text + ". ";
    }
  }
  if (round.step == Step::Checking && !refusals.empty()) {
    for (const NodeId node : round.to) {
      OrderWord forget{
          .kind = OrderWord::Kind::Forget, .number = round.question.number, .to = node};
      (void)hooks_.send(forget);
    }
    return finish(Error{.attempted = kReloadFailed,
                        .observed = refusals,
                        .remedy = "mend it there, then order the reload again"});
  }
  if (!complete && now < round.until) return;
  if (round.step == Step::Removing) {
    if (refusals.empty()) return finish({});
    return finish(Error{.code = complete ? ExitCode::Failed : ExitCode::TimeOut,
                        .attempted = "the node was not removed",
                        .observed = refusals,
                        .remedy = "is it down already? phalanx status"});
  }
  if (round.step == Step::Checking && !round.question.dry) {
    // The decision. From here on it holds, here and everywhere.
    hooks_.apply(round.wanted);
    round.step = Step::Applying;
    round.question.kind = OrderWord::Kind::Apply;
    round.question.text.clear();
    round.checked = std::exchange(round.answers, {{self_, {.yes = true, .text = {}}}});
    round.until = now + kPatience;
    ask_again(now);
    return look(now);
  }
  if (refusals.empty()) return finish({});
  finish(Error{.attempted = "not all nodes are known to have reloaded what all had checked",
               .observed = refusals,
               .remedy = "order the reload again once they are back"});
}

void ClusterOrders::finish(std::optional<Error> error) {
  const Round over = std::move(*round_);
  round_.reset();
  over.done({.error = std::move(error),
             .answers = over.step == Step::Applying ? over.checked : over.answers});
}

void ClusterOrders::on_time(TimeNs now) {
  if (!round_) return;
  ask_again(now);
  look(now);
}

void ClusterOrders::answer(NodeId to, const OrderWord& question, const Answer& what) {
  OrderWord word{.kind = what.yes ? OrderWord::Kind::Yes : OrderWord::Kind::No,
                 .dry = question.dry,
                 .number = question.number,
                 .to = to,
                 .text = what.text.substr(0, wire::kOrderTextBytes)};
  (void)hooks_.send(word);
}

void ClusterOrders::on_order(NodeId from, const OrderWord& word, TimeNs now) {
  switch (word.kind) {
    case OrderWord::Kind::Check:
      return check(from, word, now);
    case OrderWord::Kind::Apply:
      return apply(from, word, now);
    case OrderWord::Kind::Forget:
      if (checked_ && checked_->by == from && checked_->answer.number == word.number) {
        checked_.reset();
      }
      return;
    case OrderWord::Kind::Remove:
      answer(from, word, {.yes = true, .text = {}});
      return hooks_.removed(from, word.text);
    case OrderWord::Kind::Yes:
    case OrderWord::Kind::No:
      break;
    case OrderWord::Kind::Keys:
    case OrderWord::Kind::HoldNext:
    case OrderWord::Kind::GoOver:
      return;  // security::Rotation's.
  }
  if (!round_ || word.number != round_->question.number) return;
  if (std::ranges::find(round_->to, from) == round_->to.end()) return;
  // A late Yes to the check is none to what came after it: only Applied ones have no text.
  if (round_->step == Step::Applying && word.kind == OrderWord::Kind::Yes && !word.text.empty()) {
    return;
  }
  round_->answers[from] = {.yes = word.kind == OrderWord::Kind::Yes, .text = word.text};
  look(now);
}

void ClusterOrders::check(NodeId from, const OrderWord& word, TimeNs now) {
  if (checked_ && now < checked_->until) {
    if (checked_->by == from && checked_->answer.number == word.number) {
      (void)hooks_.send(checked_->answer);  // Its answer was lost: the same one again.
      return;
    }
    if (checked_->wanted && !checked_->applied && checked_->by != from) {
      return answer(
          from, word,
          {.yes = false, .text = "a reload that " + name_of(checked_->by) + " leads is under way"});
    }
  }
  if (round_ && round_->step != Step::Removing && self_ < from) {
    return answer(from, word, {.yes = false, .text = "it leads a reload of its own"});
  }
  Checked checked{
      .by = from, .answer = {}, .wanted = {}, .applied = false, .until = now + 2 * kPatience};
  const Answer own = judge(word.text, checked.wanted);
  if (word.dry) checked.wanted.reset();
  checked.answer = {.kind = own.yes ? OrderWord::Kind::Yes : OrderWord::Kind::No,
                    .dry = word.dry,
                    .number = word.number,
                    .to = from,
                    .text = own.text.substr(0, wire::kOrderTextBytes)};
  checked_ = std::move(checked);
  (void)hooks_.send(checked_->answer);
}

void ClusterOrders::apply(NodeId from, const OrderWord& word, TimeNs now) {
  const bool known = checked_ && now < checked_->until && checked_->by == from &&
                     checked_->answer.number == word.number;
  const bool done = applied_.by == from && applied_.number == word.number && now < applied_.until;
  if (done) return answer(from, word, {.yes = true, .text = {}});  // Its answer was lost.
  if (!known || !checked_->wanted) {
    return answer(from, word, {.yes = false, .text = "it has checked nothing under this number"});
  }
  hooks_.apply(*checked_->wanted);
  checked_->applied = true;
  applied_ = {.by = from, .number = word.number, .until = checked_->until};
  answer(from, word, {.yes = true, .text = {}});
}

}  // namespace phalanx::controlplane
