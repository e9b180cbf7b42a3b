#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "controlplane/daemon/call_server.h"
#include "controlplane/daemon/event_loop.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Answers on admin.sock: one JSON object a call, one back, as many as the peer likes. Bounded in
/// clients, some of whose places are kept for administrators, and in bytes: of each client the end
/// of one long answer is kept until it is fetched.
class AdminServer {
 public:
  static constexpr unsigned kClientsMax = 32;
  /// For all who are no administrators together: these always get in.
  static constexpr unsigned kClientsOfOthers = 8;

  using Peer = CallServer::Peer;
  using Reply = std::function<void(const nlohmann::json& answer)>;
  /// May reply now or later, once; a reply to a peer that has gone is dropped.
  using Handler = std::function<void(const nlohmann::json& request, const Peer& peer, Reply reply)>;

  /// What anybody may ask for is the handler's to judge.
  AdminServer(EventLoop& loop, Fd listener, Handler handler);
  ~AdminServer();

 private:
  struct Client {
    Peer peer;
    std::uint64_t number = 0;  ///< Of the answer.
    std::string answer;        ///< Empty: all of it was fetched.
  };
  void serve(const CallServer::Request& request);
  void ask(const CallServer::Request& request, const Peer& peer);
  void more(const CallServer::Request& request, Client& client);
  void answer(CallServer::Client to, phx_ipc_request number, std::size_t reply_bytes_max,
              const nlohmann::json& answer);

  Handler handler_;
  std::uint64_t next_answer_ = 1;
  std::map<CallServer::Client, Client> clients_;
  CallServer server_;
  std::shared_ptr<AdminServer*> self_ = std::make_shared<AdminServer*>(this);
};

/// The answer to a request that cannot be served: {"version":1,"error":{"code":..,"what":..}}.
[[nodiscard]] nlohmann::json admin_error(int code, const std::string& what);

}  // namespace phalanx::controlplane
