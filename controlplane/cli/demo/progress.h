#pragma once

#include <string>

namespace phalanx::cli {

/// What the demo is at, on standard error. On a terminal it is overwritten by the next call.
void show_progress(const std::string& text);

/// A line that stays.
void show_step(const std::string& text);

}  // namespace phalanx::cli
