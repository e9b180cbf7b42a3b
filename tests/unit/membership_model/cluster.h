#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "controlplane/membership/membership.h"

namespace phalanx::membership::model {

/// splitmix64: the only dice of a run.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t roll() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) noexcept { return roll() % n; }
  bool chance(unsigned percent) noexcept { return below(100) < percent; }

 private:
  std::uint64_t state_;
};

struct ClusterOptions {
  std::size_t nodes = 3;
  std::uint64_t seed = 1;
  bool vouching = true;  ///< Control planes vouch over a management network.
  unsigned loss_percent = 0;
  unsigned duplicate_percent = 0;
  TimeNs delay_min = 30 * kMicrosecond;
  TimeNs delay_max = 100 * kMicrosecond;
  unsigned late_percent = 0;  ///< Messages and answers of data planes that take 20 ms.
  TimeNs hold_max = 400 * kMillisecond;
  LaneId lanes = 1;
};

/// Membership machines over a simulated bus, in virtual time, with data planes that only freeze,
/// recover and install. It watches from outside and throws std::runtime_error at the first broken
/// guarantee.
class Cluster {
 public:
  explicit Cluster(const ClusterOptions& options);

  // Faults. Nodes are indices from 0; node ids are index + 1.
  void boot(std::size_t node);
  void kill(std::size_t node, bool obituary);  ///< The data plane; its control plane tells or not.
  void kill_control_plane(std::size_t node);   ///< The data plane goes on.
  void restart_control_plane(std::size_t node);
  void pause(std::size_t node, TimeNs duration);  ///< The control plane, not the data plane.
  void set_link(std::size_t from, std::size_t to, bool up) { links_[from][to] = up; }
  void heal();  ///< All links up, every node booted and running.
  void leave(std::size_t node);
  void lose_progress(std::size_t node) { nodes_[node].progresses = false; }
  void set_loss(unsigned percent) { options_.loss_percent = percent; }

  void run_for(TimeNs duration);
  /// Returns the time it took, or kNever when it did not happen in time.
  TimeNs run_until(const std::function<bool()>& done, TimeNs most);

  [[nodiscard]] bool one_view_of(const std::vector<std::size_t>& nodes) const;
  [[nodiscard]] bool one_view_of_all() const;
  [[nodiscard]] Membership& machine(std::size_t node) { return *nodes_[node].machine; }
  [[nodiscard]] std::size_t installs(std::size_t node) const { return nodes_[node].installs; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] bool up(std::size_t node) const { return nodes_[node].up; }
  [[nodiscard]] TimeNs now() const { return now_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint64_t message_bytes() const { return message_bytes_; }
  [[nodiscard]] std::string describe() const;
  Dice& dice() { return dice_; }

 private:
  struct DataPlane {
    ViewId view;
    std::vector<Member> members;
    bool frozen = true;
    ViewId recovered;  ///< Last attempt that this data plane recovered for.
    std::map<std::size_t, PeerSeen> seen;
  };
  struct Node {
    bool up = false;  ///< Data plane.
    bool control_up = false;
    bool progresses = true;
    Member member;
    std::uint64_t disk_sequence = 0;
    std::uint64_t last_installed = 0;  ///< Across incarnations.
    std::size_t installs = 0;
    TimeNs paused_until = 0;
    TimeNs wake_at = kNever;
    std::uint64_t life = 0;  ///< Of the control plane: answers to an earlier one are dropped.
    DataPlane data;
    std::vector<std::byte> memory;
    std::unique_ptr<Membership> machine;
  };
  struct Event {
    TimeNs at;
    std::uint64_t order;
    std::function<void()> run;
    bool operator>(const Event& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  [[noreturn]] void violation(const std::string& what) const;
  [[nodiscard]] MembershipConfig config_of(std::size_t node) const;
  void at(TimeNs when, std::function<void()> run);
  void step(std::size_t node, const std::function<Actions(Membership&)>& event);
  void execute(std::size_t node, const Actions& actions);
  void set_alarm(std::size_t node, TimeNs wake_at);
  void send(std::size_t from, const Send& send);
  void post(std::size_t from, std::size_t to, const Send& send, const BootId* receiver);
  void deliver(std::size_t to, Member from, wire::MessageKind kind,
               const std::vector<std::byte>& bytes, BootId receiver);
  void answer_freeze(std::size_t node, ViewId attempt);
  void answer_recover(std::size_t node, const wire::Plan& plan);
  void answer_install(std::size_t node, const wire::Plan& plan);
  void tick(std::size_t node, std::uint64_t life);
  void vouch(std::size_t node, std::uint64_t life);
  void read_rows(std::size_t node);
  [[nodiscard]] TimeNs delay();

  ClusterOptions options_;
  Dice dice_;
  TimeNs now_ = kSecond;
  std::uint64_t order_ = 0;
  std::uint64_t boots_ = 0;
  std::uint64_t messages_ = 0;
  std::uint64_t message_bytes_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::vector<bool>> links_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<ViewId, wire::Plan> plans_;                  ///< Installed somewhere.
  std::map<ViewId, std::vector<Member>> recovered_by_;  ///< Per attempt.
};

}  // namespace phalanx::membership::model
