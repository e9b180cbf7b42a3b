#include "controlplane/security/rotation.h"

#include <algorithm>

namespace phalanx::security {
namespace {

using Kind = wire::OrderWord::Kind;

constexpr const char* kRefused = "the cluster key stays as it is";
/// A watched node is asked again so long after it answered.
constexpr TimeNs kLookAgain = 100 * kMillisecond;

}  // namespace

std::string_view to_string(Rotation::Step step) noexcept {
  switch (step) {
    case Rotation::Step::Check:
      return "check";
    case Rotation::Step::Hold:
      return "hold";
    case Rotation::Step::GoOver:
      return "go over";
    case Rotation::Step::Watch:
      return "watch";
  }
  return "corrupt";
}

Rotation::Round Rotation::make_round(Kind kind, std::vector<NodeId> to, TimeNs until) {
  Round round;
  round.question.kind = kind;
  while (round.question.number == 0) round.question.number = hooks_.draw();
  round.to = std::move(to);
  round.until = until;
  return round;
}

void Rotation::send_again(Round& round) {
  for (const NodeId node : round.to) {
    if (node == self_ || round.answers.contains(node)) continue;
    round.question.to = node;
    if (!hooks_.send(round.question)) {
      round.answers[node] = {.kind = Answer::Kind::No,
                             .why = "there is no management address to reach it by"};
    }
  }
}

void Rotation::ask(std::vector<NodeId> others, TimeNs now, Asked asked) {
  asked_.push_back(std::move(asked));
  if (question_) return;  // The answers under way serve this one, too.
  question_ = make_round(Kind::Keys, std::move(others), now + kPatience);
  question_->question.dry = true;
  send_again(*question_);
  hooks_.wake(now + kRepeat);
  look_at_question(now);
}

void Rotation::look_at_question(TimeNs now) {
  const bool complete = std::ranges::all_of(
      question_->to, [&](NodeId node) { return question_->answers.contains(node); });
  if (!complete && now < question_->until) return;
  States states = std::move(question_->states);
  question_.reset();
  states[self_] = hooks_.state();
  states[self_].led_by = progress_ && progress_->running ? self_ : led_by(now);
  for (const Asked& asked : std::exchange(asked_, {})) asked(states);
}

void Rotation::rotate(std::vector<NodeId> others, bool force, TimeNs now, Begun begun) {
  const auto refuse = [&](std::string observed, std::string remedy) {
    begun(
        Error{.attempted = kRefused, .observed = std::move(observed), .remedy = std::move(remedy)});
  };
  if (progress_ && progress_->running) {
    return refuse("a rotation that this node leads is under way",
                  "phalanx key status shows how far it is");
  }
  if (led_by(now) != 0) {
    return refuse("a rotation that " + hooks_.name_of(led_by_) + " leads is under way",
                  "phalanx key status shows how far it is");
  }
  const KeyState own = hooks_.state();
  if (!own.trouble.empty()) return refuse(hooks_.name_of(self_) + ": " + own.trouble, {});
  if (own.next.id == 0) {
    return refuse(hooks_.name_of(self_) + " has no next key",
                  "phalanx key generate --next, then copy that file to every node");
  }
  progress_ =
      Progress{.running = true, .step = Step::Check, .to = own.next, .without = {}, .error = {}};
  began_with_ = own;  // It may go over while the others answer, if this was begun before.
  force_ = force;
  begun_ = std::move(begun);
  round_ = make_round(Kind::Keys, std::move(others), now + kPatience);
  round_->question.dry = true;  // It claims nobody yet.
  send_again(*round_);
  hooks_.wake(now + kRepeat);
  look(now);
}

/// Why the cluster cannot go over to the key that this node would go over to; empty: it can.
std::string Rotation::objection(const KeyState& own, const KeyState& state) const {
  if (state.led_by != 0 && state.led_by != self_) {
    return "takes part in a rotation that " + hooks_.name_of(state.led_by) + " leads";
  }
  if (state.current == own.next) return {};  // It was quicker, when this was begun before.
  if (state.current != own.current) {
    return "uses key " + to_string(state.current) + ", not " + to_string(own.current);
  }
  if (!state.trouble.empty()) return state.trouble;
  if (state.next.id == 0) return "has the old key only";
  if (state.next != own.next) {
    return "has another next key, " + to_string(state.next) + ", not " + to_string(own.next);
  }
  return {};
}

std::string Rotation::refusals(const Round& round, bool late) const {
  std::string text;
  for (const NodeId node : round.to) {
    const auto found = round.answers.find(node);
    std::string why;
    if (found == round.answers.end()) {
      if (late) why = "does not answer";
    } else if (found->second.kind == Answer::Kind::No) {
      why = found->second.why;
    }
    if (!why.empty()) text += (text.empty() ? "" : "; ") + hooks_.name_of(node) + ": " + why;
  }
  return text;
}

void Rotation::check(TimeNs now) {
  Round& round = *round_;
  for (const auto& [node, state] : round.states) {
    if (const std::string why = objection(began_with_, state); !why.empty()) {
      round.answers[node] = {.kind = Answer::Kind::No, .why = why};
    }
  }
  if (force_) {
    for (const NodeId node : round.to) {
      if (!round.answers.contains(node)) progress_->without.push_back(node);
    }
    std::erase_if(round.to, [&](NodeId node) { return !round.answers.contains(node); });
  }
  if (const std::string text = refusals(round, true); !text.empty()) {
    return finish(Error{.attempted = kRefused,
                        .observed = text,
                        .remedy = "copy the same next key to every node; --force goes on without "
                                  "nodes that do not answer, and keeps them out"});
  }
  std::exchange(begun_, {})(std::nullopt);
  step_on(Step::Hold, now);
}

void Rotation::step_on(Step step, TimeNs now) {
  progress_->step = step;
  const Kind kind = step == Step::Hold     ? Kind::HoldNext
                    : step == Step::GoOver ? Kind::GoOver
                                           : Kind::Keys;
  const TimeNs patience = step == Step::Watch ? kWatch : kHoldPatience;
  std::vector<NodeId> to = std::move(round_->to);
  if (std::ranges::find(to, self_) == to.end()) to.push_back(self_);
  round_ = make_round(kind, std::move(to), now + patience);
  if (step != Step::Watch) round_->question.text = to_string(progress_->to);
  send_again(*round_);
  hooks_.wake(now + kRepeat);
}

void Rotation::look(TimeNs now) {
  Round& round = *round_;
  const bool late = now >= round.until;
  const bool complete =
      std::ranges::all_of(round.to, [&](NodeId node) { return round.answers.contains(node); });
  switch (progress_->step) {
    case Step::Check:
      if (complete || late) check(now);
      return;
    case Step::Watch:
      return watch(now);
    case Step::Hold:
    case Step::GoOver:
      break;
  }
  const bool device = progress_->step != Step::Hold || hooks_.device_follows();
  std::string text = refusals(round, late);
  if (late && !device) {
    text += std::string(text.empty() ? "" : "; ") + "the quorum device does not know the next key";
  }
  if (!text.empty()) {
    return finish(Error{.attempted = progress_->step == Step::Hold
                                         ? kRefused
                                         : "not all nodes are known to go over to the next key",
                        .observed = text,
                        .remedy = "mend it there, then order the rotation again"});
  }
  if (complete && device) step_on(progress_->step == Step::Hold ? Step::GoOver : Step::Watch, now);
}

void Rotation::watch(TimeNs now) {
  Round& round = *round_;
  round.states[self_] = hooks_.state();
  std::string missing;
  for (const NodeId node : round.to) {
    const auto found = round.states.find(node);
    const KeyState* state = found == round.states.end() ? nullptr : &found->second;
    if (state != nullptr && state->current == progress_->to && state->next.id == 0) continue;
    missing += (missing.empty() ? "" : "; ") + hooks_.name_of(node) + ": ";
    missing += state == nullptr ? "does not answer" : to_string(state->phase());
    if (state != nullptr && !state->trouble.empty()) missing += ", " + state->trouble;
  }
  if (missing.empty()) return finish({});
  if (now < round.until) return;
  finish(Error{.code = ExitCode::TimeOut,
               .attempted = "not all nodes have gone over to the next key and given up the old one",
               .observed = missing,
               .remedy = "they do so by themselves once they can; phalanx key status"});
}

void Rotation::finish(const std::optional<Error>& error) {
  round_.reset();
  progress_->running = false;
  progress_->error = error;
  if (begun_) std::exchange(begun_, {})(error);
}

void Rotation::on_time(TimeNs now) {
  if (question_) {
    send_again(*question_);
    look_at_question(now);
  }
  if (round_) {
    const KeyName to = progress_->to;
    Round& round = *round_;
    const Step step = progress_->step;
    if (step == Step::Watch) {
      // All over again, from time to time: what was answered is how far they were.
      if (now >= look_again_at_) round.answers.clear();
      if (now >= look_again_at_) look_again_at_ = now + kLookAgain;
    } else if (step != Step::Check && !round.answers.contains(self_)) {
      const Answer own = step == Step::Hold ? hooks_.hold(to) : hooks_.go_over(to);
      if (own.kind != Answer::Kind::NotYet) round.answers[self_] = own;
    }
    send_again(round);
    look(now);
  }
  if (question_ || round_) hooks_.wake(now + kRepeat);
}

void Rotation::on_order(NodeId from, const wire::OrderWord& word, TimeNs now) {
  const auto reply = [&](bool yes, std::string text) {
    text.resize(std::min<std::size_t>(text.size(), 512));
    (void)hooks_.send({.kind = yes ? Kind::Yes : Kind::No,
                       .dry = word.dry,
                       .number = word.number,
                       .to = from,
                       .text = std::move(text)});
  };
  switch (word.kind) {
    case Kind::Keys: {
      KeyState state = hooks_.state();
      state.led_by = progress_ && progress_->running ? self_ : led_by(now);
      if (!word.dry && state.led_by == from) led_until_ = now + 2 * kPatience;
      return reply(true, encode(state));
    }
    case Kind::HoldNext:
    case Kind::GoOver: {
      const auto next = parse_key_name(word.text);
      if (!next || next->id == 0) return reply(false, "it does not understand which key");
      const NodeId other = progress_ && progress_->running ? self_ : led_by(now);
      if (other != 0 && other != from) {
        return reply(false, "it takes part in a rotation that " + hooks_.name_of(other) + " leads");
      }
      led_by_ = from;
      led_until_ = now + 2 * kPatience;
      const Answer own = word.kind == Kind::HoldNext ? hooks_.hold(*next) : hooks_.go_over(*next);
      // The question comes again: what is not so yet may be so then.
      if (own.kind != Answer::Kind::NotYet) reply(own.kind == Answer::Kind::Yes, own.why);
      return;
    }
    case Kind::Yes:
    case Kind::No:
      break;
    case Kind::Check:
    case Kind::Apply:
    case Kind::Forget:
    case Kind::Remove:
      return;
  }
  for (std::optional<Round>* round : {&round_, &question_}) {
    if (!*round || word.number != (*round)->question.number ||
        std::ranges::find((*round)->to, from) == (*round)->to.end()) {
      continue;
    }
    const bool yes = word.kind == Kind::Yes;
    if (yes && (*round)->question.kind == Kind::Keys) {
      const auto state = decode_key_state(word.text);
      if (!state) return;
      (*round)->states[from] = *state;
    }
    (*round)->answers[from] = {.kind = yes ? Answer::Kind::Yes : Answer::Kind::No,
                               .why = yes ? std::string() : word.text};
    return round == &round_ ? look(now) : look_at_question(now);
  }
}

}  // namespace phalanx::security
