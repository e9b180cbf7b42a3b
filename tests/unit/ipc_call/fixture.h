#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ipc/include/phalanx/ipc_client.h"
#include "ipc/include/phalanx/ipc_server.h"

namespace phalanx::call {

/// A folder for sockets that goes away with everything in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

/// Handlers of service 1.
enum Id : std::uint32_t {
  kEcho = 0,     ///< Answers with what it got.
  kLater = 1,    ///< Is answered by TestServer::answer_all().
  kCount = 2,    ///< A post: counted.
  kEvents = 3,   ///< u32 count, u32 bytes: so many events of that size, numbered in their id.
  kTwice = 4,    ///< Answers twice; the second status is the reply's... of the next kEcho's log.
  kGuarded = 5,  ///< As kEcho, behind sending_allowed().
  kGuardedCount = 6,
  kRefuse = 7,  ///< u32 status: refused with it.
  kSum = 8,     ///< Answers with the u64 sum of the bytes.
};

inline constexpr std::uint32_t kService = 1;

/// A server in a thread of this process. What a test wants different, it sets before start().
class TestServer {
 public:
  explicit TestServer(const Folder& folder);
  ~TestServer();
  void start();
  void stop();  ///< Destroys it; expects PHX_OK.
  void join();  ///< Ends its thread alone: the caller drives it from then on.
  void answer_all();

  phx_ipc_server_options options{};
  phx_ipc_server* server = nullptr;
  std::function<phx_status(phx_ipc_connection)> on_init;
  std::function<void(phx_ipc_connection)> on_exit;
  std::function<void(phx_ipc_connection)> on_room;
  std::atomic<int> connected{0}, exited{0}, rooms{0}, counted{0}, allowed_calls{0}, released{0};
  std::atomic<int> second_reply{-1};
  std::atomic<int> may_send{1};
  std::atomic<int> last_dispatch{PHX_OK};
  std::atomic<phx_ipc_connection> last{0};
  std::mutex mutex;
  std::vector<phx_ipc_message> later;
  std::vector<std::string> lines;

 private:
  std::thread thread_;
  phx_ipc_service service_{};
};

/// Connects, with everything else as `options` says.
phx_ipc_handle connect_to(const Folder& folder, phx_ipc_options options = {});

/// Waits up to 20 s for something to become true.
bool eventually(const std::function<bool()>& what);

}  // namespace phalanx::call
