#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/security/acl.h"
#include "ipc/base/fd.h"
#include "ipc/shm/guard_protocol.h"

namespace phalanx::controlplane {

/// Programs that want to be asked before this node leaves: phalanx/guard.h. Bounded in guards, of
/// all and of one user; one that says what no library says is cut. One thread.
class GuardServer {
 public:
  static constexpr std::size_t kGuardsMax = 64;
  static constexpr std::size_t kGuardsOfUser = 16;
  static constexpr TimeNs kPatience = 5 * kSecond;

  struct Veto {
    std::string name;
    std::uint32_t pid = 0;
    std::string reason;
  };
  using Done = std::function<void(const std::vector<Veto>& vetoes)>;

  GuardServer(EventLoop& loop, Fd listener, security::Acl acl);

  /// For those who come from now on.
  void set_acl(security::Acl acl) { acl_ = std::move(acl); }

  /// Asks all; `done` is called once, now or later. Empty: nobody minds. A question in place of
  /// another that is not answered yet: false.
  [[nodiscard]] bool ask(Done done);

 private:
  using Id = std::uint32_t;
  struct Guard {
    Fd fd;
    Watch watch;
    security::PeerCredentials peer;
    std::string name;  ///< Empty: it has not said Hello yet.
    bool waited_for = false;
  };

  void on_connect();
  void serve(Id id);
  [[nodiscard]] bool take(Guard& guard, const shm::GuardWord& word);
  void veto(const Guard& guard, std::string reason);
  void look();
  void give_up();

  EventLoop& loop_;
  Fd listener_;
  security::Acl acl_;
  std::map<Id, Guard> guards_;
  Id next_ = 1;
  std::uint32_t question_ = 0;
  Done done_;  ///< Of the question that is asked.
  std::vector<Veto> vetoes_;
  Timer limit_;
  Watch watch_;
};

}  // namespace phalanx::controlplane
