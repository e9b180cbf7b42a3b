#include "tests/sim/checkers/violation.h"
#include "tests/sim/cluster.h"
#include "tests/sim/script.h"

namespace phalanx::sim {

void Cluster::apply(const Step& step) {
  trace_.line(step.node, "step", "%s peer n%u mask %llx span %llu us", name_of(step.kind),
              step.peer, static_cast<unsigned long long>(step.mask),
              static_cast<unsigned long long>(step.span / 1000));
  const auto again = [&](Step::Kind kind, Member dead, TimeNs after) {
    later_.push_back({kind, step.node, dead});
    wakes_.push(now_ + after, (static_cast<std::uint32_t>(Wake::Again) << 28) |
                                  static_cast<std::uint32_t>(later_.size() - 1));
  };
  const auto set_cut = [&](NodeId from, NodeId to) {
    if (from != to) network_.link(from, to).cut = true;
  };
  Node* node = step.node == 0 ? nullptr : nodes_[step.node - 1].get();
  const bool up = node != nullptr && node->up();
  switch (step.kind) {
    case Step::Kind::Partition:
      for (NodeId a = 1; a <= nodes_.size(); ++a) {
        for (NodeId b = 1; b <= nodes_.size(); ++b) {
          if (((step.mask >> (a - 1)) & 1) != ((step.mask >> (b - 1)) & 1)) set_cut(a, b);
        }
      }
      return;
    case Step::Kind::Cut:
      set_cut(step.peer, step.node);
      set_cut(step.node, step.peer);
      return;
    case Step::Kind::CutOneWay:
      return set_cut(step.node, step.peer);
    case Step::Kind::HealLinks:
      for (NodeId a = 1; a <= nodes_.size(); ++a) {
        for (NodeId b = 1; b <= nodes_.size(); ++b) network_.link(a, b).cut = false;
      }
      return;
    case Step::Kind::Stall:
      return node->stall_until(now_ + step.span, now_);
    case Step::Kind::StallControl:
      return node->stall_control_until(now_ + step.span);
    case Step::Kind::PauseReaders:
      return node->pause_readers_until(now_ + step.span);
    case Step::Kind::Leave:
      if (!up || !node->control_up()) return;
      node->leave(now_);
      schedule(step.node, node->ready_at(now_));
      return again(step.kind, {}, step.span);
    case Step::Kind::LoseDisk:
      return node->lose_disk();
    case Step::Kind::CutManagement:
      management_cut_until_ = now_ + step.span;
      return;
    case Step::Kind::LinkDown:
      set_own_link(step.node, false);
      return again(step.kind, {}, step.span);
    case Step::Kind::ClockJump:
      node->jump_clock(step.span);
      return schedule(step.node, node->ready_at(now_));
    case Step::Kind::KillAtAction:
      return node->die_at_action(step.mask, Step::Kind::KillData, step.span);
    case Step::Kind::KillControlAtAction:
      return node->die_at_action(step.mask, Step::Kind::KillControl, step.span);
    case Step::Kind::VoteOrder:
      return node->order_votes(step.mask, now_);
    case Step::Kind::HoldNextKey:
      return hold_next_key(*node);
    case Step::Kind::GoOverToNextKey:
      return go_over_to_next_key(*node);
    case Step::Kind::Mute:
      return node->mute(static_cast<std::uint8_t>(step.mask));
    case Step::Kind::Kill:
      node->kill();
      return again(step.kind, {}, step.span);
    case Step::Kind::KillData:
      if (up && node->control_up()) again(step.kind, node->kill_data(), step.span);
      return;
    case Step::Kind::KillControl:
      node->kill_control();
      return again(step.kind, {}, step.span);
    case Step::Kind::Burst:
      if (up) {
        node->data().load().burst(step.mask);
        schedule(step.node, node->ready_at(now_));
      }
      return;
  }
}

// What the node that leads a rotation finds out first: nobody has a key that another has not.

void Cluster::hold_next_key(Node& node) {
  for (const auto& other : nodes_) {
    if (other->keys().lowest != node.keys().lowest) return;
  }
  rotates_ = true;
  node.hold_next_key(now_);
  if (node.up()) schedule(node.id(), node.ready_at(now_));
}

void Cluster::go_over_to_next_key(Node& node) {
  const KeysHeld& keys = node.keys();
  for (const auto& other : nodes_) {
    if (other->keys().next != keys.next && other->keys().lowest != keys.next) return;
  }
  node.go_over_to_next_key(now_);
  if (node.up()) schedule(node.id(), node.ready_at(now_));
}

/// An operator who sees that a rotation is not over orders it again.
void Cluster::complete_rotation() {
  if (!rotates_) return;
  for (const auto& node : nodes_) hold_next_key(*node);
  for (const auto& node : nodes_) go_over_to_next_key(*node);
}

}  // namespace phalanx::sim
