#include "perf/core/core_perf.h"

#include <memory>

#include "controlplane/cli/arguments.h"
#include "ipc/base/assert.h"
#include "perf/core/core_wire.h"
#include "perf/harness/repeat.h"

namespace phalanx::perf {
namespace {

struct Options {
  Repeat repeat;
  std::string sizes = "64,1400";
  std::string nodes = "3,8";
};

/// About n messages of `sender`, delivered at every node.
std::uint64_t order(core::CoreWire& wire, std::size_t sender, std::uint32_t bytes,
                    std::uint64_t n) {
  const std::uint64_t before = wire.delivered(0);
  std::uint64_t idle = 0;
  while (wire.delivered(0) - before < n) {
    const std::uint64_t last = wire.delivered(0);
    wire.turn(sender, bytes);
    idle = wire.delivered(0) == last ? idle + 1 : 0;
    PHX_CHECK(idle < 1000);
  }
  return wire.delivered(0) - before;
}

ExitCode run(const Options& options, const cli::Globals& globals) {
  const auto sizes = read_numbers("--sizes", options.sizes, 64, 65'536);
  if (!sizes) return cli::report(sizes.error(), globals);
  const auto nodes = read_numbers("--nodes", options.nodes, 2, 16);
  if (!nodes) return cli::report(nodes.error(), globals);
  Result result{
      .benchmark = "core",
      .parameters = {{"log_bytes", core::CoreWire::kLogBytes}, {"per", "message and node"}},
      .points = {},
      .trouble = {}};
  for (const std::uint64_t count : *nodes) {
    for (const std::uint64_t size : *sizes) {
      for (const std::size_t sender : {std::size_t{0}, std::size_t{1}}) {
        core::CoreWire wire(count);
        // Twice round the log: memory is slow the first time.
        (void)order(wire, sender, static_cast<std::uint32_t>(size),
                    2 * core::CoreWire::kLogBytes / size);
        Repeated measured = repeat(options.repeat, [&](std::uint64_t n) {
          return order(wire, sender, static_cast<std::uint32_t>(size), n) * count;
        });
        Point point{.at = {{"nodes", count},
                           {"size", size},
                           {"sender", sender == 0 ? "orderer" : "another"}},
                    .figures = {},
                    .latencies = {}};
        add_figures(point, "message_a_node", std::move(measured));
        result.points.push_back(std::move(point));
      }
    }
  }
  return print_result(result, globals);
}

}  // namespace

void add_core(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  cli::Command command = root.add(
      "core", "What ordering alone costs, in one thread: nanoseconds and instructions a message.");
  command.text("--sizes", o->sizes, "Bytes of a message, 64 and more, commas between", "BYTES")
      .text("--nodes", o->nodes, "Nodes, 2 to 16, commas between", "NUMBERS");
  add_repeat_options(command, o->repeat);
  command.run([&globals, o] { return run(*o, globals); });
}

}  // namespace phalanx::perf
