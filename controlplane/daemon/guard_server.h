#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "controlplane/daemon/call_server.h"
#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"

namespace phalanx::controlplane {

/// Programs that want to be asked before this node leaves: phalanx/guard.h. Bounded in guards, of
/// all and of one user; one that says what no library says is cut off. One thread.
class GuardServer {
 public:
  static constexpr unsigned kGuardsMax = 64;
  /// Of these, for root and the daemon's own user.
  static constexpr unsigned kGuardsOfAdmins = 8;
  static constexpr unsigned kGuardsOfUser = 16;
  static constexpr TimeNs kPatience = 5 * kSecond;
  /// Questions that may wait in a guard's ring, of which there is room for more.
  static constexpr unsigned kUnansweredMax = 64;

  struct Veto {
    std::string name;
    std::uint32_t pid = 0;
    std::string reason;
  };
  using Done = std::function<void(const std::vector<Veto>& vetoes)>;

  /// A guard that does not answer within `patience` vetoes.
  GuardServer(EventLoop& loop, Fd listener, security::Acl acl, TimeNs patience = kPatience);
  ~GuardServer();
  GuardServer(const GuardServer&) = delete;
  GuardServer& operator=(const GuardServer&) = delete;

  /// For those who come from now on.
  void set_acl(security::Acl acl) { acl_ = std::move(acl); }

  /// Asks all; `done` is called once, now or later. Empty: nobody minds. A question in place of
  /// another that is not answered yet: false.
  [[nodiscard]] bool ask(Done done);

 private:
  struct Guard {
    std::uint32_t pid = 0;
    std::string name;  ///< Empty: it has not entered yet.
    bool waited_for = false;
    unsigned unanswered = 0;  ///< Questions since its last answer.
  };

  void serve(const CallServer::Request& request);
  /// False: no library says that.
  [[nodiscard]] bool enter(Guard& guard, std::span<const std::byte> bytes);
  [[nodiscard]] bool take_answer(Guard& guard, std::span<const std::byte> bytes);
  [[nodiscard]] bool tell(CallServer::Client client, Guard& guard);
  void veto(const Guard& guard, std::string reason);
  void look();
  void give_up();

  security::Acl acl_;
  TimeNs patience_;
  std::map<CallServer::Client, Guard> guards_;
  std::uint32_t question_ = 0;
  Done done_;  ///< Of the question that is asked.
  std::vector<Veto> vetoes_;
  Timer limit_;
  CallServer server_;
};

}  // namespace phalanx::controlplane
