#include "perf/ipc/ipc_bench.h"

#include <cstdio>
#include <memory>

#include "perf/ipc/shape.h"

namespace phalanx::perf {
namespace {

struct Options {
  std::string mode = "rr", wait = "poll", placement = "two-cores";
  std::uint64_t clients = 1, bytes = 64, batch = 1;
  bool in_place = false;
  double seconds = 1;
};

void print(const IpcShape& shape, const IpcResult& r) {
  std::printf("rate      %.3f M/s\n", r.per_second / 1e6);
  if (shape.mode == IpcMode::RequestReply) {
    std::printf("latency   p50 %.2f us, p99 %.2f us, most %.1f us\n",
                static_cast<double>(r.p50_ns) / 1e3, static_cast<double>(r.p99_ns) / 1e3,
                static_cast<double>(r.max_ns) / 1e3);
  } else {
    std::printf("bytes     %.2f GB/s\n", r.per_second * static_cast<double>(shape.bytes) / 1e9);
  }
  std::printf("processor server %.3f us, client %.3f us a message\n", r.server_cpu_us,
              r.client_cpu_us);
}

ExitCode run(const Options& o, bool as_json) {
  IpcShape shape{.clients = static_cast<unsigned>(o.clients),
                 .bytes = o.bytes,
                 .batch = o.batch,
                 .in_place = o.in_place,
                 .seconds = o.seconds};
  const bool read = read_mode(o.mode, shape.mode) && read_wait(o.wait, shape.wait) &&
                    read_placement(o.placement, shape.placement);
  IpcResult result;
  if (!read || !measure_ipc(phalanx_library(), shape, result)) return ExitCode::Failed;
  if (as_json) {
    std::printf("%s\n", to_json(phalanx_library(), shape, result).c_str());
  } else {
    print(shape, result);
  }
  return ExitCode::Fine;
}

}  // namespace

void add_ipc_bench(cli::Command& root, const cli::Globals& globals) {
  const auto o = std::make_shared<Options>();
  root.add("ipc", "Calls, posts and events between processes of this host: rate and latency.")
      .word("--mode", o->mode, {"rr", "oneway", "events", "fanout"},
            "Request and reply, posts, events to every client, or to all of them at once")
      .word("--wait", o->wait, {"poll", "yield", "adaptive", "block"}, "How both sides wait")
      .word("--placement", o->placement, {"same-core", "two-cores", "free"},
            "The server beside its clients, on another core, or as the kernel likes")
      .number("--clients", o->clients, {1, kIpcClientsMax}, "Client processes")
      .number("--size", o->bytes, {0, 16u << 20}, "Bytes of a message")
      .number("--batch", o->batch, {1, 1024}, "Posts or events of one call")
      .flag("--in-place", o->in_place, "Build posts in the ring, by reserve and commit")
      .seconds("--seconds", o->seconds, "How long to measure")
      .run([&globals, o] { return run(*o, globals.json); });
}

}  // namespace phalanx::perf
