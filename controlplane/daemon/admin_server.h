#pragma once

#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Answers on admin.sock: one JSON object in a packet, one back, as many as the peer likes. Bounded
/// in connections, some of which are kept for administrators, and in bytes; a peer that does not
/// read its answer loses it.
class AdminServer {
 public:
  using Reply = std::function<void(const nlohmann::json& answer)>;
  /// May reply now or later, once; a reply to a peer that has gone is dropped.
  using Handler = std::function<void(const nlohmann::json& request,
                                     const security::PeerCredentials& peer, Reply reply)>;

  /// `acl`: who is an administrator. What others may ask for is the handler's to judge.
  AdminServer(EventLoop& loop, Fd listener, security::Acl acl, Handler handler);
  ~AdminServer();

 private:
  struct Connection;
  void accept_one();
  void serve(const std::shared_ptr<Connection>& connection, std::uint32_t events);

  EventLoop& loop_;
  Fd listener_;
  security::Acl acl_;
  Handler handler_;
  std::list<std::shared_ptr<Connection>> connections_;
  Watch watch_;
};

/// The answer to a request that cannot be served: {"version":1,"error":{"code":..,"what":..}}.
[[nodiscard]] nlohmann::json admin_error(int code, const std::string& what);

}  // namespace phalanx::controlplane
