#pragma once

#include <cstdint>
#include <optional>

#include "controlplane/quorum/rules.h"
#include "ipc/base/ids.h"
#include "transport/wire/device_word.h"

namespace phalanx::quorum {

/// The asking side of the quorum device (arbiter.h): one question at a time. Sans-I/O.
class DeviceLink {
 public:
  /// The word to send. An earlier question is given up.
  [[nodiscard]] wire::DeviceWord ask(const ViewId& view, NodeSet nodes, bool installed) noexcept {
    asked_ = wire::DeviceWord{.nodes = nodes,
                              .sequence = view.sequence,
                              .representative = view.representative,
                              .epoch = epoch_,
                              .yes = installed};
    return *asked_;
  }

  enum class Heard : std::uint8_t {
    Nothing,   ///< An answer to no question that is open.
    Yes,       ///< Granted.
    No,        ///< Refused.
    AskAgain,  ///< Another run of the arbiter than was asked: see again().
  };
  [[nodiscard]] Heard on_answer(const wire::DeviceWord& word) noexcept {
    if (!asked_ || word.nodes != asked_->nodes || word.sequence != asked_->sequence ||
        word.representative != asked_->representative) {
      return Heard::Nothing;
    }
    if (!word.yes && word.epoch != asked_->epoch) {
      epoch_ = asked_->epoch = word.epoch;
      return Heard::AskAgain;
    }
    asked_.reset();
    return word.yes ? Heard::Yes : Heard::No;
  }
  [[nodiscard]] const std::optional<wire::DeviceWord>& again() const noexcept { return asked_; }

 private:
  std::uint32_t epoch_ = 0;
  std::optional<wire::DeviceWord> asked_;
};

}  // namespace phalanx::quorum
