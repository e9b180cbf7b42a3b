#include "controlplane/http/node_source.h"

#include <utility>

namespace phalanx::http {
namespace {

/// Of the control plane: a scrape must not wait for one that is stopped.
constexpr TimeNs kPatience = kSecond;

}  // namespace

NodeNow NodeSource::now() {
  const std::lock_guard lock(mutex_);
  if (looked_at_ == 0 || monotonic_now() - looked_at_ >= kAge) look();
  NodeNow out{.running = error_.empty(), .error = error_, .status = status_, .sample = nullptr};
  if (memory_) out.sample = watch::take_sample(*memory_);
  return out;
}

void NodeSource::look() {
  auto seen = watch::look(directory_, kPatience);
  looked_at_ = monotonic_now();  // After it: a slow answer is not asked for again at once.
  if (seen) {
    auto status = watch::parse_status(seen->status);
    if (status) {
      error_.clear();
      status_ = std::move(*status);
      memory_ = std::move(seen->statistics);
      return;
    }
    error_ = status.error().observed;
  } else {
    error_ = seen.error().attempted + ": " + seen.error().observed;
  }
  status_ = nullptr;
}

}  // namespace phalanx::http
