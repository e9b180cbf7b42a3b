#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/order_word.h"

namespace phalanx::controlplane {

/// What an administrator orders at one node and others have to agree to: a reload in two phases,
/// and that a node leaves. At the node that was asked it carries questions to the others, again
/// and again until each has answered; at the others it answers them. Sans-I/O: who calls brings
/// words and time. One thread.
///
/// Reload. Check: every node reads its own file; all must hold the same cluster part. One No, or
/// one that does not answer: Forget, and nothing has changed anywhere. Else Apply: everybody takes
/// what it had checked. A node that said Yes and hears no more forgets it after twice kPatience.
class ClusterOrders {
 public:
  static constexpr TimeNs kRepeat = 20 * kMillisecond;
  static constexpr TimeNs kPatience = 2 * kSecond;

  struct Hooks {
    /// This node's file, fit to take the place of what runs. Else why not, in a line.
    std::function<Expected<config::Config, std::string>()> read;
    std::function<const config::Config&()> running;
    /// Takes over what a reload changes.
    std::function<void(const config::Config& wanted)> apply;
    /// False: there is no way to that node.
    std::function<bool(const wire::OrderWord&)> send;
    /// Call on_time() no later than this.
    std::function<void(TimeNs at)> wake;
    /// This node is to leave.
    std::function<void(NodeId by, const std::string& reason)> removed;
    std::function<std::uint32_t()> draw;  ///< A number; 0 is drawn again.
  };
  struct Answer {
    bool yes = false;
    std::string text;
  };
  struct Outcome {
    std::optional<Error> error;
    std::map<NodeId, Answer> answers;  ///< Of the check; this node's own among them.
  };
  using Done = std::function<void(const Outcome&)>;

  ClusterOrders(NodeId self, Hooks hooks) : self_(self), hooks_(std::move(hooks)) {}

  /// `done` is called once, now or later. One order at a time.
  void reload(bool dry, std::vector<NodeId> others, TimeNs now, Done done);
  void remove(NodeId node, const std::string& reason, TimeNs now, Done done);

  void on_order(NodeId from, const wire::OrderWord& word, TimeNs now);
  void on_time(TimeNs now);

 private:
  enum class Step : std::uint8_t { Checking, Applying, Removing };
  /// At the node that was asked.
  struct Round {
    Step step = Step::Checking;
    wire::OrderWord question;
    std::vector<NodeId> to;
    std::map<NodeId, Answer> answers;  ///< Of this step,
    std::map<NodeId, Answer> checked;  ///< and of the check, when this is another.
    config::Config wanted;
    TimeNs until = 0;
    Done done;
  };
  /// The reload that was applied last, whose answer may have been lost.
  struct Applied {
    NodeId by = 0;
    std::uint32_t number = 0;
    TimeNs until = 0;
  };
  /// At a node that was asked to check: what it said, and what it will apply.
  struct Checked {
    NodeId by = 0;
    wire::OrderWord answer;
    std::optional<config::Config> wanted;
    bool applied = false;
    TimeNs until = 0;
  };

  [[nodiscard]] bool busy(const Done& done);
  void start(Round round, TimeNs now);
  void ask_again(TimeNs now);
  void look(TimeNs now);
  void finish(std::optional<Error> error);
  [[nodiscard]] std::uint32_t number();
  [[nodiscard]] Answer judge(const std::string& hash, std::optional<config::Config>& wanted) const;
  void check(NodeId from, const wire::OrderWord& word, TimeNs now);
  void apply(NodeId from, const wire::OrderWord& word, TimeNs now);
  void answer(NodeId to, const wire::OrderWord& question, const Answer& what);
  [[nodiscard]] std::string name_of(NodeId node) const;

  NodeId self_;
  Hooks hooks_;
  std::optional<Round> round_;
  std::optional<Checked> checked_;
  Applied applied_;
};

}  // namespace phalanx::controlplane
