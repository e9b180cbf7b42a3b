#pragma once

#include <vector>

#include "perf/ipc/shape.h"

namespace phalanx::perf {

[[nodiscard]] IpcLibrary iceoryx_library();
[[nodiscard]] IpcLibrary libqb_library();

/// Those that were there when this was built.
[[nodiscard]] inline std::vector<IpcLibrary> libraries() {
  std::vector<IpcLibrary> all{phalanx_library()};
#ifdef PHX_WITH_LIBQB
  all.push_back(libqb_library());
#endif
#ifdef PHX_WITH_ICEORYX
  all.push_back(iceoryx_library());
#endif
  return all;
}

}  // namespace phalanx::perf
