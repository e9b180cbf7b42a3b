#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/daemon/admin_server.h"
#include "controlplane/daemon/event_loop.h"
#include "ipc/base/ids.h"
#include "ipc/recorder/event.h"
#include "transport/wire/recorder_word.h"

namespace phalanx::controlplane {

/// An event with the time of its own node's wall clock; its number and ticks mean nothing.
struct ToldEvent {
  std::uint64_t wall_ns = 0;
  recorder::Event event;
};

/// What tells the story of view changes of a recorder's directory: not each message's progress.
/// Sorted by time; the newest kToldMax.
inline constexpr std::size_t kToldMax = 480;
[[nodiscard]] std::vector<ToldEvent> told_events(const std::string& directory);

/// In pages for datagrams, and back; whatever the bytes are.
[[nodiscard]] std::vector<std::vector<std::byte>> pages_of(std::span<const ToldEvent> events);
void take_page(std::span<const std::byte> page, std::vector<ToldEvent>& into);

/// Asks the peers' control planes for their recorders and answers theirs, over the management
/// addresses, each datagram sealed. Both ways bounded: a few hundred events, so many files read
/// and datagrams answered a second, and an end of waiting. One thread.
class RecorderExchange {
 public:
  struct Options {
    Member self;  ///< The node, and this control plane's own boot id.
    std::vector<NodeId> peers;
    std::string directory;
  };
  using SendTo = std::function<void(NodeId, std::span<const std::byte>)>;

  RecorderExchange(EventLoop& loop, Options options, wire::RecorderSeal seal, SendTo send);

  /// As RecorderSeal's.
  void hold(std::shared_ptr<const wire::KeyRing> ring, bool with_next) {
    seal_.hold(std::move(ring), with_next);
  }
  void on_datagram(std::span<const std::byte> datagram, TimeNs now);
  /// One at a time. The reply has this node's events and those of all who answered in time.
  void ask(const AdminServer::Reply& reply, TimeNs now);

 private:
  struct Peer {
    std::vector<std::optional<std::vector<std::byte>>> pages;
  };
  struct Question {
    AdminServer::Reply reply;
    std::uint64_t token = 0;
    TimeNs until = 0;
    std::map<NodeId, Peer> peers;
  };
  void answer(const wire::RecorderWord& word, TimeNs now);
  void take(const wire::RecorderWord& word);
  void ask_again(TimeNs now);
  void finish();
  [[nodiscard]] bool may_answer(TimeNs now) noexcept;

  Options options_;
  wire::RecorderSeal seal_;
  SendTo send_;
  std::uint64_t counter_ = 0;
  std::optional<Question> question_;
  Timer timer_;
  std::uint64_t served_token_ = 0;  ///< The question that served_ was read for.
  std::vector<std::vector<std::byte>> served_;
  TimeNs read_at_ = 0;
  TimeNs second_ = 0;  ///< When the count of answers began.
  std::uint32_t answers_ = 0;
};

}  // namespace phalanx::controlplane
