#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "controlplane/watch/watcher.h"

namespace phalanx::http {

/// One node as an HTTP answer needs it.
struct NodeNow {
  bool running = false;                   ///< The control plane answers.
  std::string error;                      ///< Why not.
  nlohmann::json status;                  ///< Only when running.
  std::unique_ptr<watch::Sample> sample;  ///< nullptr: no data plane has been seen.
};

/// Looks at a node for however many HTTP clients: at most every kAge at the control plane. What it
/// mapped it goes on reading while the control plane is away. Any thread.
class NodeSource {
 public:
  static constexpr TimeNs kAge = 200 * kMillisecond;

  explicit NodeSource(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] NodeNow now();

 private:
  void look();

  std::string directory_;
  std::mutex mutex_;
  TimeNs looked_at_ = 0;
  std::string error_ = "not asked yet";
  nlohmann::json status_;
  std::optional<shm::StatisticsMemory> memory_;
};

}  // namespace phalanx::http
