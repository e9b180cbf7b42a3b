#include "controlplane/quorum/arbiter.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>

namespace phalanx::quorum {
namespace {

/// Sets of nodes that pairwise meet and none of which holds another: so many pile up only while
/// view after view fails half way. Then only all nodes together get a grant.
constexpr std::size_t kGrantsMax = 64;

std::string line_of(const Arbiter::Grant& grant) {
  std::array<char, 160> line{};
  std::snprintf(line.data(), line.size(),
                "grant %" PRIu64 " %" PRIu32 " %016" PRIx64 " %016" PRIx64 " %" PRIu64 "\n",
                grant.sequence, grant.representative, grant.nodes, grant.installed,
                grant.stands_for);
  return line.data();
}

bool sane(const Arbiter::Grant& grant, NodeSet everybody) noexcept {
  return grant.sequence != 0 && grant.representative != 0 && grant.nodes != 0 &&
         (grant.nodes & ~everybody) == 0 && (grant.installed & ~grant.nodes) == 0 &&
         grant.stands_for >= grant.sequence;
}

}  // namespace

Arbiter::Arbiter(NodeSet everybody, std::uint32_t epoch) : everybody_(everybody), epoch_(epoch) {}

bool Arbiter::may_grant(NodeSet nodes) const noexcept {
  // Rule: all nodes meet whatever there is, also what was forgotten.
  if (nodes == everybody_) return true;
  if (forgotten_ || grants_.size() >= kGrantsMax) return false;
  return std::ranges::all_of(grants_,
                             [&](const Grant& grant) { return (grant.nodes & nodes) != 0; });
}

Arbiter::Answer Arbiter::on_ask(std::size_t from, const wire::DeviceWord& ask) {
  Answer answer{.word = ask};
  answer.word.epoch = epoch_;
  answer.word.yes = false;
  const NodeSet asker = from < kNodesMax ? NodeSet{1} << from : 0;
  // Rule: what was said before this arbiter ran counts for nothing, it may be as old as any.
  if (ask.epoch != epoch_ || (ask.nodes & asker) == 0 || (ask.nodes & ~everybody_) != 0) {
    return answer;
  }
  auto known = std::ranges::find_if(grants_, [&](const Grant& grant) {
    return grant.sequence == ask.sequence && grant.representative == ask.representative;
  });
  if (known != grants_.end() && known->nodes != ask.nodes) return answer;
  if (known == grants_.end()) {
    if (!may_grant(ask.nodes)) return answer;
    Grant grant{.sequence = ask.sequence,
                .representative = ask.representative,
                .nodes = ask.nodes,
                .installed = 0,
                .stands_for = ask.sequence};
    // Rule: who meets the new set meets each set that holds it.
    std::erase_if(grants_, [&](const Grant& old) {
      const bool holds = (old.nodes & grant.nodes) == grant.nodes;
      if (holds) grant.stands_for = std::max(grant.stands_for, old.stands_for);
      return holds;
    });
    grants_.push_back(grant);
    known = grants_.end() - 1;
    answer.changed = true;
  }
  answer.word.yes = true;
  if (ask.yes && (known->installed & asker) == 0) {
    known->installed |= asker;
    answer.changed = true;
    if (known->installed == known->nodes) settle(static_cast<std::size_t>(known - grants_.begin()));
  }
  return answer;
}

// Rule: a member that has installed a view never installs one of a lower sequence.
void Arbiter::settle(std::size_t index) {
  const Grant settled = grants_[index];
  std::erase_if(grants_, [&](const Grant& old) { return old.stands_for < settled.sequence; });
  if (settled.nodes == everybody_) forgotten_ = false;
}

std::string Arbiter::text() const {
  std::array<char, 64> head{};
  std::snprintf(head.data(), head.size(), "phalanx-arbiter 1\nnodes %016" PRIx64 "\nforgotten %d\n",
                everybody_, forgotten_ ? 1 : 0);
  std::string text = head.data();
  for (const Grant& grant : grants_) text += line_of(grant);
  return text + "end\n";
}

bool Arbiter::restore(std::string_view text) {
  const std::string whole(text);
  Arbiter read(everybody_, epoch_);
  int forgotten = 0;
  NodeSet nodes = 0;
  if (std::sscanf(whole.c_str(), "phalanx-arbiter 1\nnodes %" SCNx64 "\nforgotten %d", &nodes,
                  &forgotten) != 2) {
    return false;
  }
  read.forgotten_ = forgotten != 0;
  for (std::size_t at = whole.find("grant "); at != std::string::npos;
       at = whole.find("grant ", at + 1)) {
    Grant grant;
    if (std::sscanf(whole.c_str() + at,
                    "grant %" SCNu64 " %" SCNu32 " %" SCNx64 " %" SCNx64 " %" SCNu64,
                    &grant.sequence, &grant.representative, &grant.nodes, &grant.installed,
                    &grant.stands_for) != 5) {
      return false;
    }
    if (!sane(grant, everybody_) || read.grants_.size() > kGrantsMax) return false;
    read.grants_.push_back(grant);
  }
  // Byte by byte what text() writes, of these nodes: nothing else was understood.
  if (nodes != everybody_ || read.text() != whole) return false;
  forgotten_ = read.forgotten_;
  grants_ = std::move(read.grants_);
  return true;
}

}  // namespace phalanx::quorum
