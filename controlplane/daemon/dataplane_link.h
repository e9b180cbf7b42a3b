#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/daemon/data_plane_port.h"
#include "controlplane/daemon/event_loop.h"
#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/time_ns.h"
#include "ipc/shm/control_channel.h"
#include "ipc/shm/control_socket.h"

namespace phalanx::controlplane {

/// Finds the data plane of this instance, starts one when nobody answers, and knows at once when it
/// dies. The control segment is mapped while, and only while, one lives. One thread.
class DataPlaneLink : public DataPlanePort {
 public:
  /// How long a data plane may take until it listens, where a node counts as dead after so long:
  /// ten times that, 10 s to 2 min. One that is ended earlier on a slow host would never come up.
  [[nodiscard]] static constexpr TimeNs start_limit_for(TimeNs dead_after) noexcept {
    return std::clamp(10 * dead_after, 10 * kSecond, 120 * kSecond);
  }

  /// From now on.
  void set_start_limit(TimeNs limit) noexcept { options_.start_limit = limit; }

  struct Options {
    std::string socket_path;
    std::string program;
    std::vector<std::string> arguments;
    std::function<std::string()> input;  ///< What the program reads when it is started.
    bool may_start = true;               ///< False: wait for somebody else to start it.
    TimeNs start_limit = 10 * kSecond;   ///< One that does not listen by then is ended.
    NodeId node = 0;
    std::uint64_t config_hash = 0;
  };
  struct Handlers {
    /// A data plane is there; commands and events may flow.
    std::function<void(const shm::DataPlaneIdentity&)> up;
    std::function<void(const shm::Event&)> event;
    /// It is dead: none of its threads runs its program again. `identity` holds what is to be told
    /// to the peers.
    std::function<void(const shm::DataPlaneIdentity&)> down;
    /// It can not be had, and trying again will not help.
    std::function<void(const Error&)> failed;
  };

  DataPlaneLink(EventLoop& loop, Options options, Handlers handlers);
  ~DataPlaneLink() override;

  /// Starts looking; handlers are called from the loop.
  void begin();
  /// Ends the data plane (SIGTERM, then SIGKILL after `grace`), and starts no other. `down` is
  /// called when it is gone; at once if there is none.
  void stop(TimeNs grace);
  /// Ends it at once and starts another: its state is of no more use.
  void replace(const char* why);

  [[nodiscard]] bool is_up() const noexcept { return live_ != nullptr; }
  /// Of the last one that was up.
  [[nodiscard]] const shm::DataPlaneIdentity& identity() const noexcept { return identity_; }
  /// What the worker counted, by name; empty without a data plane.
  [[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> counters() const;
  /// Of the port's driver, by its own names, in ASCII.
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> driver_counters() const;
  [[nodiscard]] std::uint32_t starts() const noexcept { return starts_; }

  /// Hands a client's checked socket over.
  [[nodiscard]] Expected<void, Error> adopt(const shm::AdoptClient& client);
  /// Has it read the files of the cluster keys again; it answers with an event.
  [[nodiscard]] Expected<void, Error> read_keys_again();
  /// Takes all events that wait. The loop does so by itself; call it before judging time.
  void drain();

  bool send(const shm::Command& command) override;
  void store_attempt(std::span<const std::byte> bytes) override;
  [[nodiscard]] std::vector<std::byte> load_attempt() const override;
  [[nodiscard]] std::optional<shm::WorkerStatus> status() const override;
  /// What its workers show; nullptr: no data plane lives.
  [[nodiscard]] const shm::StatisticsMemory* statistics() const noexcept;
  /// Of the memory that watchers may map; -1: no data plane lives. Borrowed.
  [[nodiscard]] int statistics_fd() const;

 private:
  struct Live;
  void look();
  void start_one();
  void on_welcome();
  Fd end_greeting();
  void no_welcome(std::string_view observed);
  void take(shm::Welcome welcome);
  bool take_lines();
  void on_socket();
  void on_witness();
  void on_exit();
  void on_gone();
  void on_child_exit();
  void again_later();

  EventLoop& loop_;
  Options options_;
  Handlers handlers_;
  shm::DataPlaneIdentity identity_;
  std::unique_ptr<Live> live_;

  // Dead, but not yet gone: it may still hold its sockets and ports.
  std::unique_ptr<Live> dying_;
  TimeNs lived_ = 0;

  // Connected, and waits for the welcome.
  Fd greeting_;
  Watch greeting_watch_;

  // The one we started, until it answers.
  pid_t child_ = -1;
  Fd child_fd_;
  Watch child_watch_;
  TimeNs started_at_ = 0;
  TimeNs back_off_ = 0;
  std::uint32_t starts_ = 0;

  bool stopping_ = false;
  Timer retry_;
  Timer welcome_limit_;
  Timer hung_up_;
  Timer kill_;
};

}  // namespace phalanx::controlplane
