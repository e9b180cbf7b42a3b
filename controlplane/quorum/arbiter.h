#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/quorum/rules.h"
#include "transport/wire/device_word.h"

namespace phalanx::quorum {

/// The quorum device: grants its votes to views of which no two that may be in force at the same
/// time are disjoint. Sans-I/O and deterministic: questions in, answers out, and its state as text.
/// Rules in arbiter.md. One thread.
class Arbiter {
 public:
  /// `epoch` names this run, and no earlier one. Without restore() it knows of no grant and must
  /// assume any.
  Arbiter(NodeSet everybody, std::uint32_t epoch);

  struct Answer {
    wire::DeviceWord word;
    bool changed = false;  ///< text() must be durable before the word is sent.
  };
  /// The question of a configured node, by its index. The caller has seen to it that it is
  /// authentic, of the same configuration, and later than all others of the same sender.
  [[nodiscard]] Answer on_ask(std::size_t from, const wire::DeviceWord& ask);

  struct Grant {
    std::uint64_t sequence = 0;
    NodeId representative = 0;
    NodeSet nodes = 0;
    NodeSet installed = 0;         ///< Members that have said so.
    std::uint64_t stands_for = 0;  ///< Highest sequence of all that it took the place of.

    friend bool operator==(const Grant&, const Grant&) = default;
  };
  [[nodiscard]] const std::vector<Grant>& grants() const noexcept { return grants_; }
  /// Nothing was granted by anybody before, or it has been forgotten: only all nodes get a grant.
  [[nodiscard]] bool forgotten() const noexcept { return forgotten_; }

  /// What must outlive it, for people as well. restore(): false, and nothing changed, unless it is
  /// what text() gives.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool restore(std::string_view text);

 private:
  [[nodiscard]] bool may_grant(NodeSet nodes) const noexcept;
  void settle(std::size_t index);

  NodeSet everybody_;
  std::uint32_t epoch_;
  bool forgotten_ = true;
  std::vector<Grant> grants_;
};

}  // namespace phalanx::quorum
