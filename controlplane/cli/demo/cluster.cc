#include "controlplane/cli/demo/cluster.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/value.h"
#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/key_file.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::cli {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::string config_file(const DemoCluster::Places& places) {
  return places.directory + "/phalanx.toml";
}

std::string log_file(const DemoCluster::Places& places, std::size_t node) {
  return places.directory + "/" + node_name(node) + ".log";
}

std::string last_lines(const std::string& path, std::size_t count) {
  std::ifstream file(path);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > count) lines.pop_front();
  }
  std::string out;
  for (const std::string& line : lines) out += "  " + line + "\n";
  return out;
}

Expected<void, Error> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.flush();
  if (file) return {};
  return fail(Error{.attempted = "cannot write " + path, .observed = "is the disk full?"});
}

std::string milliseconds(TimeNs time) { return std::to_string(time / kMillisecond) + "ms"; }

}  // namespace

std::string node_name(std::size_t node) { return "n" + std::to_string(node); }

std::string demo_config(const DemoOptions& options, const DemoCluster::Places& places,
                        const DemoNetwork& network, const DemoTransport& transport) {
  const std::uint64_t message = std::max(kMiB, std::bit_ceil(options.size_bytes));
  const std::uint64_t nodes = network.places().size();
  // config's formula: two messages, the window, a submit window for each node.
  const std::uint64_t log =
      std::bit_ceil(std::max(16 * kMiB, 2 * message + kMiB + nodes * kMiB / 4));
  const auto slow = static_cast<TimeNs>(options.slow);
  const auto size = [](std::uint64_t bytes) {
    return "\"" + config::format_size(static_cast<std::int64_t>(bytes)) + "\"\n";
  };
  std::string text = "[node]\nstate_directory = \"" + places.directory + "/state\"\n" +
                     "runtime_directory = \"" + places.runtime_directory + "\"\n" +
                     "[cluster]\nname = \"demo\"\nkey_file = \"" + places.directory +
                     "/cluster.key\"\n" + (options.insecure ? "encryption = \"insecure\"\n" : "") +
                     "max_message = " + size(message) + "dead_after = \"" +
                     milliseconds(options.dead_after * slow) + "\"\nstall_after = \"" +
                     milliseconds(options.stall_after * slow) + "\"\n" + transport.table +
                     "[lane]\nlog = " + size(log) +
                     // Its own clients must see everything, however slow the host is.
                     "[client]\nslow_policy = \"throttle\"\nthrottle_max = \"10s\"\n";
  for (std::size_t node = 1; node <= nodes; ++node) {
    const DemoNetwork::NodePlace& place = network.places()[node - 1];
    text += "[[cluster.nodes]]\nid = " + std::to_string(node) + "\nname = \"" + node_name(node) +
            "\"\naddress = \"" + place.address + "\"\nmanagement = \"" + place.management + "\"\n";
  }
  return text;
}

Expected<DemoCluster, Error> DemoCluster::start(const DemoOptions& options, const Places& places,
                                                DemoNetwork network,
                                                const DemoTransport& transport) {
  const std::string program = find_program("phalanx-controlplane", "controlplane/daemon");
  if (program.empty()) {
    return fail(Error{.attempted = "cannot find phalanx-controlplane",
                      .observed = "it is not beside " + own_program(),
                      .remedy = "build or install all of Phalanx"});
  }
  const auto written =
      write_file(config_file(places), demo_config(options, places, network, transport));
  if (!written) return fail(written.error());
  const auto key = write_key_file(places.directory + "/cluster.key", 1, true);
  if (!key) return fail(key.error());
  DemoCluster cluster(places, std::move(network), program);
  for (std::size_t node = 1; node <= cluster.network_.places().size(); ++node) {
    cluster.controlplanes_.push_back(0);
    if (auto done = cluster.start_node(node); !done) return fail(done.error());
  }
  return cluster;
}

Expected<void, Error> DemoCluster::start_node(std::size_t node) {
  const auto pid =
      spawn({.program = program_,
             .arguments = {"--config", config_file(places_), "--instance", node_name(node)},
             .environment = {"PHX_RUNTIME_DIR=" + places_.runtime_directory},
             .network = network_.places()[node - 1].network,
             .log = log_file(places_, node)});
  if (!pid) return fail(pid.error());
  controlplanes_[node - 1] = *pid;
  return {};
}

Instance DemoCluster::instance(std::size_t node) const {
  return {.runtime_directory = places_.runtime_directory, .name = node_name(node)};
}

nlohmann::json DemoCluster::status(std::size_t node) const {
  const auto answer = ask(instance(node).directory(), {{"command", "status"}}, kSecond);
  return answer ? *answer : nlohmann::json();
}

pid_t DemoCluster::dataplane(std::size_t node) const {
  return find_child(controlplanes_[node - 1], "phalanx-dataplane");
}

std::string DemoCluster::ended() const {
  for (std::size_t node = 1; node <= size(); ++node) {
    if (has_ended(controlplanes_[node - 1])) {
      return "the control plane of " + node_name(node) + " has ended";
    }
  }
  return "";
}

std::string DemoCluster::logs() const {
  std::string out;
  for (std::size_t node = 1; node <= size(); ++node) {
    out += "log of " + node_name(node) + ":\n" + last_lines(log_file(places_, node), 20);
  }
  return out;
}

Expected<void, Error> DemoCluster::wait_whole(TimeNs patience) const {
  const TimeNs end = monotonic_now() + patience;
  for (;;) {
    std::size_t whole = 0;
    std::uint64_t sequence = 0;
    for (std::size_t node = 1; node <= size(); ++node) {
      const nlohmann::json answer = status(node);
      const auto view = answer.is_object() ? answer.find("view") : answer.end();
      if (!answer.is_object() || view == answer.end() || !view->is_object()) continue;
      const std::uint64_t seen = view->value("sequence", std::uint64_t{0});
      const bool all = view->contains("members") && (*view)["members"].size() == size();
      if (all && (sequence == 0 || seen == sequence)) ++whole;
      if (sequence == 0) sequence = seen;
    }
    if (whole == size()) return {};
    show_progress("nodes in one view: " + std::to_string(whole) + " of " + std::to_string(size()));
    if (const std::string gone = ended(); !gone.empty()) {
      return fail(Error{.attempted = "the cluster did not come up", .observed = gone});
    }
    if (stop_requested()) return fail(Error{.attempted = "interrupted"});
    if (monotonic_now() > end) {
      return fail(Error{.code = ExitCode::TimeOut,
                        .attempted = "the cluster did not come up in time",
                        .observed = std::to_string(whole) + " of " + std::to_string(size()) +
                                    " nodes see all the others"});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace phalanx::cli
