#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/cli/demo/network.h"
#include "controlplane/cli/demo/options.h"
#include "controlplane/cli/demo/transport.h"
#include "controlplane/cli/program.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"

namespace phalanx::cli {

/// The demo's nodes: real control planes, each of which starts its data plane.
class DemoCluster {
 public:
  /// Where everything of one demo lies; made and removed by the caller.
  struct Places {
    std::string directory;          ///< Private: configuration, key, state, logs.
    std::string runtime_directory;  ///< Sockets, one sub-directory a node.
  };

  /// Writes the configuration and the key and starts all nodes.
  [[nodiscard]] static Expected<DemoCluster, Error> start(const DemoOptions& options,
                                                          const Places& places, DemoNetwork network,
                                                          const DemoTransport& transport);

  /// Starts the control plane of a node whose last one has ended; it starts its data plane.
  [[nodiscard]] Expected<void, Error> start_node(std::size_t node);

  /// Waits until every node has every node in one view; says how far it is while it waits.
  [[nodiscard]] Expected<void, Error> wait_whole(TimeNs patience) const;

  [[nodiscard]] std::size_t size() const noexcept { return controlplanes_.size(); }
  /// From 1, as the node's id.
  [[nodiscard]] Instance instance(std::size_t node) const;
  /// The process of a node's data plane now; 0: none.
  [[nodiscard]] pid_t dataplane(std::size_t node) const;
  [[nodiscard]] pid_t controlplane(std::size_t node) const { return controlplanes_[node - 1]; }
  [[nodiscard]] const DemoNetwork& network() const noexcept { return network_; }
  /// What a node answers to `phalanx status`, or null.
  [[nodiscard]] nlohmann::json status(std::size_t node) const;
  /// Names a control plane that has ended by itself; empty: all run.
  [[nodiscard]] std::string ended() const;
  /// The last lines of every node's log, for a failure.
  [[nodiscard]] std::string logs() const;

 private:
  DemoCluster(Places places, DemoNetwork network, std::string program)
      : places_(std::move(places)), network_(std::move(network)), program_(std::move(program)) {}

  Places places_;
  DemoNetwork network_;
  std::string program_;
  std::vector<pid_t> controlplanes_;
};

/// "n1" for 1.
[[nodiscard]] std::string node_name(std::size_t node);

/// The demo's configuration, one file for all nodes.
[[nodiscard]] std::string demo_config(const DemoOptions& options, const DemoCluster::Places& places,
                                      const DemoNetwork& network, const DemoTransport& transport);

}  // namespace phalanx::cli
