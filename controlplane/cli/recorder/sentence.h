#pragma once

#include <string>

#include "controlplane/cli/recorder/noted.h"
#include "controlplane/membership/loss.h"

namespace phalanx::cli {

/// What an event means, in plain words, without its subject's name in front. Empty: it does not
/// belong into the story of a view change.
[[nodiscard]] std::string sentence_of(const Noted& noted);
/// Why a member went: "its data plane died (obituary)".
[[nodiscard]] std::string reason_of(membership::LossRule rule);

}  // namespace phalanx::cli
