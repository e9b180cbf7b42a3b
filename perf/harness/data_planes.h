#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "ipc/base/fd.h"
#include "ipc/shm/control_channel.h"
#include "ipc/shm/control_socket.h"

namespace phalanx::perf {

/// Real phalanx-dataplane processes on loopback ports, without control planes: this object plays
/// them. It installs one view of all nodes and hands clients over; it does not watch anybody. For
/// benchmarks of the data path alone.
class DataPlanes {
 public:
  struct Options {
    std::string program;  ///< Path of phalanx-dataplane.
    std::size_t nodes = 3;
    std::string transport = "udp";  ///< Or "shm", or "memif".
    std::string extra_config;       ///< TOML, after the generated text.
    bool insecure = false;
    std::uint16_t first_port = 25405;
  };
  explicit DataPlanes(const Options& options);
  ~DataPlanes();

  void install_first_view();
  /// Passes clients that connect to any node on to its data plane, for as long as `until` says.
  template <class Until>
  void adopt_clients(Until until) {
    while (!until()) adopt_waiting(10);
  }
  [[nodiscard]] const std::string& runtime_directory() const noexcept { return directory_; }
  [[nodiscard]] static std::string instance(std::size_t index) {
    return "n" + std::to_string(index + 1);
  }
  [[nodiscard]] pid_t pid(std::size_t index) const noexcept { return nodes_[index].pid; }
  [[nodiscard]] shm::ControlPlaneEnd& plane(std::size_t index) noexcept {
    return *nodes_[index].plane;
  }

 private:
  struct Node {
    pid_t pid = -1;
    Fd connection;
    shm::Welcome welcome;
    std::unique_ptr<shm::ControlSegment> segment;
    std::unique_ptr<shm::ControlPlaneEnd> plane;
    Fd clients;
  };
  void write_configs(const Options& options);
  void start(std::size_t index, const std::string& program);
  void adopt_waiting(int timeout_ms);
  shm::Event await(std::size_t index, shm::WorkerEventKind kind);

  std::string directory_;
  std::vector<Node> nodes_;
};

}  // namespace phalanx::perf
