#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"
#include "ipc/include/phalanx/ipc_server.h"

namespace phalanx::controlplane {

/// One of this node's own services, on the rings of ipc/call: brings requests to a handler and
/// replies, refusals and events back. Runs in the loop's thread alone. Bounded in clients, in what
/// each may map and in what of it is handled in a turn; a client that lies or does not read is cut
/// off, alone. Owns its listener.
class CallServer {
 public:
  using Client = phx_ipc_connection;

  struct Limits {
    unsigned clients_max = 64;
    unsigned clients_reserved = 0;  ///< Of these, for root and the daemon's own user.
    unsigned clients_of_user = 16;  ///< For each other user.
    std::size_t ring_bytes = 4096;
    std::size_t message_bytes = 4096;
    unsigned messages_a_turn = 8;
  };
  struct Options {
    std::uint32_t service = 0;
    std::uint32_t calls = 0;           ///< Their ids are below this, which is at most kCallsMax.
    const char* subsystem = "daemon";  ///< Of the log.
    int attachment = 0;                ///< Borrowed; 0: none.
    Limits limits;
  };
  static constexpr std::uint32_t kCallsMax = 16;

  struct Request {
    Client client = 0;
    phx_ipc_request number = 0;  ///< For reply(); 0: a post, which has none.
    std::uint32_t call = 0;
    std::span<const std::byte> bytes;  ///< A copy, which the client cannot reach.
    std::size_t reply_bytes_max = 0;
  };
  struct Peer {
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
  };
  struct Handlers {
    std::function<bool(const security::PeerCredentials& peer)> admit;
    std::function<void(Client client, const Peer& peer)> joined;
    std::function<void(Client client)> left;
    std::function<void(const Request& request)> request;
  };

  CallServer(EventLoop& loop, Fd listener, const Options& options, Handlers handlers);
  ~CallServer();
  CallServer(const CallServer&) = delete;
  CallServer& operator=(const CallServer&) = delete;

  // Later too, and to clients that are gone: false then, and nothing is done.
  bool reply(Client client, phx_ipc_request number, std::span<const std::byte> bytes = {});
  bool refuse(Client client, phx_ipc_request number, phx_status status);
  /// Has the client get an event; one that has not read a ring full of them is cut off.
  bool tell(Client client, std::uint32_t event, std::span<const std::byte> bytes = {});
  void cut_off(Client client);

  [[nodiscard]] phx_ipc_server_info counts() const;

 private:
  static CallServer& of(void* context) { return *static_cast<CallServer*>(context); }
  static void on_message(void* context, phx_ipc_server* server, const phx_ipc_message* message);
  [[nodiscard]] phx_ipc_hooks hooks() const;
  void watch(int fd, short events, phx_ipc_ready ready, void* data);

  EventLoop& loop_;
  Options options_;
  Handlers handlers_;
  phx_ipc_handler table_[kCallsMax];
  phx_ipc_service service_{};
  std::vector<std::byte> copy_;  ///< Of the request that is handled.
  std::map<int, Watch> watches_;
  phx_ipc_server* server_ = nullptr;
};

}  // namespace phalanx::controlplane
