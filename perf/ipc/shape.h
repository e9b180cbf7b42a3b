#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ipc/base/histogram.h"

namespace phalanx::perf {

/// What is measured, of whichever library.
enum class IpcMode : std::uint8_t {
  RequestReply,  ///< Each client calls, and waits for its reply.
  OneWay,        ///< Each client sends what nobody answers.
  Events,        ///< The server sends to every client.
  Fanout,        ///< The server writes once, and every client reads that.
};
enum class IpcWait : std::uint8_t {
  Poll,      ///< Nobody sleeps or yields.
  Yield,     ///< Nobody sleeps.
  Adaptive,  ///< The library's default.
  Block,     ///< Both sleep as soon as there is nothing to do.
};
enum class IpcPlacement : std::uint8_t { SameCore, TwoCores, Free };

struct IpcShape {
  IpcMode mode = IpcMode::RequestReply;
  IpcWait wait = IpcWait::Poll;
  IpcPlacement placement = IpcPlacement::TwoCores;
  unsigned clients = 1;
  std::size_t bytes = 64;
  std::size_t batch = 1;  ///< Posts or events a call, where the library has such a call.
  bool in_place = false;  ///< Posts are built in the ring, where the library can.
  double seconds = 1;
};

struct IpcResult {
  double per_second = 0;                             ///< Of all clients.
  std::uint64_t p50_ns = 0, p99_ns = 0, max_ns = 0;  ///< Of requests and replies.
  double server_cpu_us = 0, client_cpu_us = 0;       ///< A message.
};

/// One side of one client, in a process of its own. A counter is what the reader counts.
inline constexpr unsigned kIpcClientsMax = 64;
struct IpcShared {
  std::atomic<std::uint32_t> ready{0};      ///< Clients that are connected.
  std::atomic<std::uint32_t> measuring{0};  ///< Latencies count from here on.
  std::atomic<std::uint32_t> stop{0};
  std::atomic<std::uint32_t> failed{0};
  struct alignas(64) Client {
    std::atomic<std::uint64_t> count{0};
    Histogram latency;
  };
  alignas(64) std::atomic<std::uint64_t> server_count{0};
  Client clients[kIpcClientsMax];
};

class IpcServer {
 public:
  virtual ~IpcServer() = default;
  virtual bool start(const std::string& name, const IpcShape& shape, IpcShared& shared) = 0;
  /// Serves until shared.stop.
  virtual void run() = 0;
};

class IpcClient {
 public:
  virtual ~IpcClient() = default;
  virtual bool connect(const std::string& name, const IpcShape& shape) = 0;
  /// One request and its reply.
  virtual bool call() = 0;
  /// Sends up to shape.batch messages; how many went out.
  virtual std::size_t post() = 0;
  /// Takes events; how many there were. Waits as the shape says, 100 ms at most.
  virtual std::size_t take() = 0;
};

/// One library. Made anew in every process.
struct IpcLibrary {
  const char* name;
  std::unique_ptr<IpcServer> (*make_server)();
  std::unique_ptr<IpcClient> (*make_client)();
};

[[nodiscard]] IpcLibrary phalanx_library();

/// Runs a shape with processes of its own. False: some process could not do its part.
[[nodiscard]] bool measure_ipc(const IpcLibrary& library, const IpcShape& shape, IpcResult& out);

/// From words of a command line. False: no such word.
[[nodiscard]] bool read_mode(const std::string& word, IpcMode& out);
[[nodiscard]] bool read_wait(const std::string& word, IpcWait& out);
[[nodiscard]] bool read_placement(const std::string& word, IpcPlacement& out);
/// One JSON object in one line.
[[nodiscard]] std::string to_json(const IpcLibrary& library, const IpcShape& shape,
                                  const IpcResult& result);

}  // namespace phalanx::perf
