#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/security/key_state.h"
#include "ipc/base/error.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/wire/order_word.h"

namespace phalanx::security {

/// Rotation of the cluster key over all configured nodes. At the node that was asked it leads, at
/// the others it follows; the words travel as those of a reload do. Sans-I/O: who calls brings
/// words and time. One thread. Phases, each only after all answered Yes to the one before:
///
/// Check: all have the same key and the same next one in their files. Nothing has changed yet.
/// Hold: data plane and control plane of each hold both. Still nothing is used but the old one.
/// Go over: decided. The membership makes a view under the next key once all members would go over.
/// Watch: each node finishes by itself once its view uses the next key: this only looks on.
///
/// A leader that dies leaves nothing behind that another rotation would not take up where it
/// stopped.
class Rotation {
 public:
  static constexpr TimeNs kRepeat = 20 * kMillisecond;
  static constexpr TimeNs kPatience = 2 * kSecond;       ///< For an answer.
  static constexpr TimeNs kHoldPatience = 10 * kSecond;  ///< Until all hold both.
  static constexpr TimeNs kWatch = 60 * kSecond;         ///< Until all have one key again.

  struct Answer {
    enum class Kind : std::uint8_t { Yes, No, NotYet };
    Kind kind = Kind::Yes;
    std::string why;  ///< Of No.
  };
  struct Hooks {
    std::function<KeyState()> state;  ///< Of this node; without led_by.
    /// This node is to hold this next key; called again while it says NotYet.
    std::function<Answer(const KeyName& next)> hold;
    std::function<Answer(const KeyName& next)> go_over;
    /// Whether the quorum device knows the next key; true where there is none.
    std::function<bool()> device_follows;
    std::function<bool(const wire::OrderWord&)> send;  ///< False: there is no way to that node.
    std::function<void(TimeNs at)> wake;               ///< Call on_time() no later than this.
    std::function<std::uint32_t()> draw;               ///< A number; 0 is drawn again.
    std::function<std::string(NodeId)> name_of;
  };
  enum class Step : std::uint8_t { Check, Hold, GoOver, Watch };
  /// How the rotation goes or went that was asked for here.
  struct Progress {
    bool running = false;
    Step step = Step::Check;
    KeyName to;
    std::vector<NodeId> without;  ///< Did not answer, and --force went on without them.
    std::optional<Error> error;   ///< How it ended, unless well.
  };
  using States = std::map<NodeId, KeyState>;  ///< Of those who answered, this node among them.
  using Asked = std::function<void(const States&)>;
  /// Once: why nothing is begun, or nothing when it has.
  using Begun = std::function<void(const std::optional<Error>&)>;

  Rotation(NodeId self, Hooks hooks) : self_(self), hooks_(std::move(hooks)) {}

  /// `others`: all configured nodes but this one. `force`: go on without those who do not answer.
  void rotate(std::vector<NodeId> others, bool force, TimeNs now, Begun begun);
  void ask(std::vector<NodeId> others, TimeNs now, Asked asked);
  [[nodiscard]] const std::optional<Progress>& progress() const noexcept { return progress_; }

  void on_order(NodeId from, const wire::OrderWord& word, TimeNs now);
  void on_time(TimeNs now);

 private:
  /// A question to several nodes.
  struct Round {
    wire::OrderWord question;
    std::vector<NodeId> to;
    std::map<NodeId, Answer> answers;
    States states;
    TimeNs until = 0;
  };

  [[nodiscard]] Round make_round(wire::OrderWord::Kind kind, std::vector<NodeId> to, TimeNs until);
  void send_again(Round& round);
  void look_at_question(TimeNs now);
  void look(TimeNs now);
  [[nodiscard]] std::string refusals(const Round& round, bool late) const;
  void check(TimeNs now);
  [[nodiscard]] std::string objection(const KeyState& own, const KeyState& state) const;
  void step_on(Step step, TimeNs now);
  void watch(TimeNs now);
  void finish(const std::optional<Error>& error);
  [[nodiscard]] NodeId led_by(TimeNs now) const noexcept { return now < led_until_ ? led_by_ : 0; }

  NodeId self_;
  Hooks hooks_;
  std::optional<Progress> progress_;
  std::optional<Round> round_;  ///< Of the rotation that is led here.
  bool force_ = false;
  KeyState began_with_;
  Begun begun_;
  std::optional<Round> question_;  ///< What ask() asks.
  std::vector<Asked> asked_;
  TimeNs look_again_at_ = 0;  ///< While watching.
  NodeId led_by_ = 0;
  TimeNs led_until_ = 0;
};

[[nodiscard]] std::string_view to_string(Rotation::Step step) noexcept;

}  // namespace phalanx::security
