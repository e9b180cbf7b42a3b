#pragma once

#include <string>
#include <string_view>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::controlplane {

/// What to do about an errno of a state file in this directory.
[[nodiscard]] std::string state_file_remedy(int error, const std::string& directory);

/// The whole text or the file as it was, also when the host stops half way; on the disk when it
/// returns. `path` is in `directory`.
[[nodiscard]] Expected<void, Error> write_durably(const std::string& directory,
                                                  const std::string& path, std::string_view text);

}  // namespace phalanx::controlplane
